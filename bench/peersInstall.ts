/** The peers: packages apart from lacuna's own, installed only when they are asked for. */
import { spawnSync } from "node:child_process"
import { createRequire } from "node:module"
import path from "node:path"
import { repository } from "./native.ts"
import { memoryPeerNames, peerNames } from "./peerStores.ts"

const missing = (): string | undefined => {
  const require = createRequire(path.join(repository, "bench", "package.json"))
  for (const name of [...peerNames, ...memoryPeerNames]) {
    try {
      require(name)
    } catch (cause) {
      return `${name}: ${cause instanceof Error ? cause.message.split("\n")[0] : String(cause)}`
    }
  }
  return undefined
}

/** Installs the peers where one is missing, and gives why that failed, or undefined. */
export const installPeers = (): string | undefined => {
  if (missing() === undefined) return undefined
  // Not `ci`: npm leaves optional packages of other platforms out of the lock file, and then refuses it.
  // From the folder itself: below an `npm run` of the project, `--prefix` does not change the place.
  const installed = spawnSync("npm", ["install", "--no-save"], {
    cwd: path.join(repository, "bench"),
    stdio: ["ignore", 2, 2]
  })
  if (installed.error !== undefined) return installed.error.message
  return missing()
}
