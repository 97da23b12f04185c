/** Starts nginx, where it is installed, over a directory: unprivileged, in one process, on a free port. */
import { type ChildProcess, spawn } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { type FileServer, freePort, isListening, pause } from "./fileServer.ts"

export type Nginx = FileServer

const places = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx", "/opt/homebrew/bin/nginx"]

/** The program; undefined where nginx is not installed. */
export const nginxProgram: string | undefined = places.find((place) => fs.existsSync(place))

/** For the name of a test that is skipped where nginx is not installed. */
export const nginxSkipped = nginxProgram === undefined ? " (SKIPPED: nginx is not installed here)" : ""

const configuration = (own: string, directory: string, port: number): string => {
  const temporaries = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
  return `
daemon off;
master_process off;
pid "${own}/nginx.pid";
error_log "${own}/error.log";
events { worker_connections 512; }
http {
  log_format sent '$body_bytes_sent';
  access_log "${own}/access.log" sent;
  ${temporaries.map((name) => `${name}_temp_path "${own}/${name}";`).join("\n  ")}
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  server {
    listen 127.0.0.1:${port};
    root "${directory}";
  }
}
`
}

const tryStart = async (program: string, own: string, directory: string): Promise<[ChildProcess, number]> => {
  const port = await freePort()
  const configured = path.join(own, "nginx.conf")
  fs.writeFileSync(configured, configuration(own, directory, port))
  const child = spawn(program, ["-p", own, "-e", path.join(own, "error.log"), "-c", configured], {
    stdio: "ignore"
  })
  child.on("error", () => undefined)
  for (let waited = 0; waited < 1000 && child.exitCode === null; waited++) {
    if (child.pid !== undefined && fs.existsSync(path.join(own, "nginx.pid")) && (await isListening(port))) {
      return [child, port]
    }
    await pause(10)
  }
  child.kill("SIGKILL")
  const log = path.join(own, "error.log")
  throw new Error(`nginx did not start: ${fs.existsSync(log) ? fs.readFileSync(log, "utf8") : "no log"}`)
}

/** Starts it over `directory`, an absolute path. Whoever starts it closes it; it ends with this process at the latest. */
export const startNginx = async (directory: string): Promise<Nginx> => {
  if (nginxProgram === undefined) throw new Error("nginx is not installed here")
  const own = fs.mkdtempSync(path.join(os.tmpdir(), "lacuna-nginx-"))
  // Between finding a port and listening on it somebody else may take it.
  let started: [ChildProcess, number] | undefined
  for (let attempt = 0; started === undefined; attempt++) {
    try {
      started = await tryStart(nginxProgram, own, directory)
    } catch (error) {
      if (attempt === 3) throw error
    }
  }
  const [child, port] = started
  const stop = () => child.kill("SIGKILL")
  process.on("exit", stop)

  // A line is written when its request is over, which is shortly after the client has all of it.
  const settledLog = async (): Promise<ReadonlyArray<number>> => {
    const log = path.join(own, "access.log")
    let [size, quiet] = [-1, 0]
    while (quiet < 3) {
      const now = fs.statSync(log).size
      quiet = now === size ? quiet + 1 : 0
      size = now
      await pause(10)
    }
    const lines = fs.readFileSync(log, "utf8").trim()
    return lines === "" ? [] : lines.split("\n").map(Number)
  }

  return {
    url: `http://127.0.0.1:${port}/`,
    bytesSent: async () => (await settledLog()).reduce((sum, bytes) => sum + bytes, 0),
    requests: async () => (await settledLog()).length,
    close: async () => {
      process.off("exit", stop)
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once("close", resolve))
        child.kill("SIGKILL")
        await ended
      }
      fs.rmSync(own, { recursive: true, force: true })
    }
  }
}
