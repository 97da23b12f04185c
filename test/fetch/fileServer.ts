/** What the real servers that tests and measurements start have in common. */
import net from "node:net"

/** A server on loopback that gives the files of a directory. */
export interface FileServer {
  /** Ends with a slash: a file's name is appended. */
  readonly url: string
  /** The bytes of bodies that were sent so far, as the server counts them. */
  readonly bytesSent: () => Promise<number>
  /** The requests that were answered so far. */
  readonly requests: () => Promise<number>
  readonly close: () => Promise<void>
}

/** A port of loopback that nobody listens on just now. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = net.createServer()
    server.on("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })

/** Whether somebody listens on a port of loopback. */
export const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1")
    socket.on("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.on("error", () => resolve(false))
  })

export const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))
