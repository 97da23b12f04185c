/**
 * The options of a SparseIo, checked, with what stands for those that were not given.
 */
import { InvalidArgument } from "../bytes/errors.ts"
import type { SparseIoOptions } from "./sparseIoService.ts"

const defaultChunkSize = 131_072
const maxChunkSize = 2 ** 30
const defaultConcurrency = 4
const defaultRequestBytes = 16 * 1024 * 1024
const defaultReadAheadBytes = 4 * 1024 * 1024

/** However small chunks are, what is kept in mind for those of one request must stay small. */
export const maxRunChunks = 16_384

export interface SparseIoSizes {
  /** Bytes. */
  readonly chunkSize: number
  readonly concurrency: number
  /** The chunks that one request asks for at most. */
  readonly runChunks: number
  /** The chunks that a stream asks for ahead of the one it gives. */
  readonly aheadChunks: number
  /** The chunks that the store may keep; Infinity where there is no limit. */
  readonly budgetChunks: number
}

/** Throws `InvalidArgument`. */
export const sizesOf = (options: SparseIoOptions<unknown, unknown>): SparseIoSizes => {
  const {
    budgetBytes = Infinity,
    chunkSize = defaultChunkSize,
    concurrency = defaultConcurrency,
    readAheadBytes = defaultReadAheadBytes
  } = options
  checkInteger("chunkSize", chunkSize, 1, maxChunkSize)
  const { requestBytes = Math.max(defaultRequestBytes, chunkSize) } = options
  checkInteger("concurrency", concurrency, 1, Number.MAX_SAFE_INTEGER)
  checkInteger("requestBytes", requestBytes, chunkSize, Number.MAX_SAFE_INTEGER)
  checkInteger("readAheadBytes", readAheadBytes, 0, Number.MAX_SAFE_INTEGER)
  if (budgetBytes !== Infinity) checkInteger("budgetBytes", budgetBytes, chunkSize, Number.MAX_SAFE_INTEGER)
  return {
    chunkSize,
    concurrency,
    runChunks: Math.min(Math.floor(requestBytes / chunkSize), maxRunChunks),
    aheadChunks: Math.min(Math.ceil(readAheadBytes / chunkSize), maxRunChunks),
    budgetChunks: Math.floor(budgetBytes / chunkSize)
  }
}

const checkInteger = (name: string, value: number, least: number, most: number): void => {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return
  const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `from ${least} to ${most}`
  throw new InvalidArgument({
    operation: "SparseIo",
    reason: `${name} must be an integer, ${range}, not ${value}`
  })
}
