/**
 * A cursor over an object: where the next read begins. Its reads come one after another; who seeks meanwhile is not
 * undone by the read that ends then.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { InvalidArgument } from "../bytes/errors.ts"
import { isOffset } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import type { SparseIoService, SparseViewer } from "./sparseIoService.ts"

export const makeViewer = <E>(read: SparseIoService<E>["read"], length: number): SparseViewer<E> => {
  let position = 0
  /** How often it was moved by `seek`. */
  let seeks = 0
  const turn = Semaphore.makeUnsafe(1)

  const seek = (offset: number): number => {
    if (!isOffset(offset) || offset > length) {
      const reason = `there is no position ${offset} in an object of ${length} bytes`
      throw new InvalidArgument({ operation: "seek", reason })
    }
    position = offset
    seeks++
    return position
  }

  return {
    position: () => position,
    seek: (offset) => attempt<number, InvalidArgument>(() => seek(offset)),
    read: (buffer) =>
      turn.withPermit(
        Effect.suspend(() => {
          const from = position
          const before = seeks
          return Effect.map(read(from, buffer), (count) => {
            if (seeks === before) position = from + count
            return count
          })
        })
      )
  }
}
