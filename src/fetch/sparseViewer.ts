/**
 * A cursor over an object: where the next read begins.
 */
import * as Effect from "effect/Effect"
import { InvalidArgument } from "../bytes/errors.ts"
import { isOffset } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import type { SparseIoService, SparseViewer } from "./sparseIoService.ts"

export const makeViewer = <E>(read: SparseIoService<E>["read"], length: number): SparseViewer<E> => {
  let position = 0

  const seek = (offset: number): number => {
    if (!isOffset(offset) || offset > length) {
      const reason = `there is no position ${offset} in an object of ${length} bytes`
      throw new InvalidArgument({ operation: "seek", reason })
    }
    position = offset
    return position
  }

  return {
    position: () => position,
    seek: (offset) => attempt<number, InvalidArgument>(() => seek(offset)),
    read: (buffer) =>
      Effect.suspend(() => {
        const from = position
        return Effect.map(read(from, buffer), (count) => {
          position = from + count
          return count
        })
      })
  }
}
