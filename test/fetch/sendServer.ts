/** Starts a server in this process that gives a directory's files by npm's `send`, as Express does. */
import http from "node:http"
import type net from "node:net"
import send from "send"
import type { FileServer } from "./fileServer.ts"

export const startSendServer = async (directory: string): Promise<FileServer> => {
  let bytes = 0
  let requests = 0
  const server = http.createServer((request, response) => {
    requests++
    const socket: net.Socket = request.socket
    const before = socket.bytesWritten
    response.on("close", () => {
      // What went out beside the body is the head.
      const head = Buffer.byteLength(Reflect.get(response, "_header") ?? "")
      bytes += Math.max(0, socket.bytesWritten - before - head)
    })
    const { pathname } = new URL(request.url ?? "/", "http://localhost")
    send(request, pathname, { root: directory }).pipe(response)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}/`,
    bytesSent: () => Promise.resolve(bytes),
    requests: () => Promise.resolve(requests),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}
