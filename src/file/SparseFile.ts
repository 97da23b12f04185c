/**
 * SparseFile: the live bytes of a file back to back, found at the offsets they always had.
 *
 * A sparse file is built once (`create`), then only read (`open`). It is `<path>`, the data, and
 * `<path>.map`, the offmap with the checksums of the data; under construction both names end in
 * `.tmp`. It follows the sparse-file prototype, with extents, checksums and a promotion that can be
 * interrupted anywhere.
 */
import { SparseFileReader } from "./SparseFileReader.ts"
import { SparseFileWriter } from "./SparseFileWriter.ts"
import { openSparseRemote } from "./sparseRemoteOpening.ts"
import { verifySparseFile } from "./sparseVerify.ts"

export type { RemoteFile } from "./remoteFile.ts"
export type { RemoteLookupError, RemoteReadError, SparseRemoteReader } from "./sparseRemote.ts"
export type { SparseRemoteOpenError, SparseRemoteOptions } from "./sparseRemoteOpening.ts"
export type { SparseVerified, SparseVerifyOptions, SparseVerifyProgress } from "./sparseVerify.ts"

export const SparseFile = {
  /** See `SparseFileWriter.create`. */
  create: SparseFileWriter.create,
  /** See `SparseFileReader.open`. */
  open: SparseFileReader.open,
  /** See `openSparseRemote`. */
  openRemote: openSparseRemote,
  /** See `verifySparseFile`. */
  verify: verifySparseFile
}
