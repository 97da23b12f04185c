/**
 * The laws of reading and writing, whole and interrupted.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { bytesAt, contentOf, fileOf, type IoLaw, ioLaw, pattern } from "./ioLaw.ts"
import { check, checkBytes, checkEqual, checkFails, checkThrows } from "./law.ts"

const largeBytes = 3 * (1 << 20) + 17
const beyondFourGiB = 2 ** 32 + 12_345

const transfers: ReadonlyArray<IoLaw> = [
  ioLaw("a new file is empty, writable, and keeps its path", function* ({ io, directory }) {
    const path = `${directory}/new`
    const file = yield* io.create(path, { overwrite: false })
    checkEqual(yield* file.size, 0, "size")
    checkEqual(file.unsafe.size(), 0, "unsafe.size")
    checkEqual(file.readonly, false, "readonly")
    checkEqual(file.path, path, "path")
    checkEqual(yield* io.sizeOf(path), 0, "sizeOf")
  }),
  ioLaw("what is written anywhere is read back, by either twin and by another handle", function* (law) {
    const { directory, io } = law
    const path = `${directory}/file`
    const file = yield* fileOf(io, path, pattern(100))
    yield* file.writeAt(50, pattern(20, 2))
    file.unsafe.writeAt(90, pattern(20, 3))
    const expected = new Uint8Array(110)
    expected.set(pattern(100))
    expected.set(pattern(20, 2), 50)
    expected.set(pattern(20, 3), 90)
    checkBytes(yield* contentOf(file), expected, "readAt")
    const twin = new Uint8Array(110)
    file.unsafe.readAt(0, twin)
    checkBytes(twin, expected, "unsafe.readAt")
    const other = yield* io.open(path, { readonly: true })
    checkEqual(other.readonly, true, "readonly of the other")
    checkBytes(yield* contentOf(other), expected, "another handle")
    checkEqual(yield* io.sizeOf(path), 110, "sizeOf")
  }),
  ioLaw("a transfer uses the view it is given, not the buffer behind it", function* ({ directory, io }) {
    const source = pattern(30)
    const file = yield* fileOf(io, `${directory}/file`, source.subarray(10, 20))
    checkEqual(yield* file.size, 10, "size")
    const target = new Uint8Array(30)
    yield* file.readAt(2, target.subarray(5, 9))
    const expected = new Uint8Array(30)
    expected.set(source.subarray(12, 16), 5)
    checkBytes(target, expected, "the buffer around the view")
  }),
  ioLaw("a write beyond the end leaves zeros between", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(3))
    yield* file.writeAt(200_000, pattern(3))
    checkEqual(yield* file.size, 200_003, "size")
    checkBytes(yield* bytesAt(file, 3, 199_997), new Uint8Array(199_997), "the bytes between")
  }),
  ioLaw("readAt past the end is ReadOutOfBounds and tells where the end is", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10))
    for (const [offset, length, end] of [
      [4, 7, 10],
      [10, 1, 10],
      [4, largeBytes, 10]
    ]) {
      const what = `${length} bytes at ${offset}`
      const error = yield* checkFails("ReadOutOfBounds", bytesAt(file, offset, length), what)
      checkEqual(error.end, end, `${what}: end`)
      checkEqual(error.offset, offset, `${what}: offset`)
      checkEqual(error.length, length, `${what}: length`)
      checkThrows("ReadOutOfBounds", () => file.unsafe.readAt(offset, new Uint8Array(length)), what)
    }
    const far = yield* checkFails("ReadOutOfBounds", bytesAt(file, 1000, 1), "far beyond")
    checkEqual(far.end, 10, "far beyond: end")
  }),
  ioLaw("a read of 0 bytes succeeds anywhere up to the end, and not beyond", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10))
    for (const offset of [0, 5, 10]) {
      yield* file.readAt(offset, new Uint8Array(0))
      checkEqual(yield* file.readSomeAt(offset, new Uint8Array(0)), 0, "readSomeAt")
    }
    yield* checkFails("ReadOutOfBounds", file.readAt(11, new Uint8Array(0)), "beyond the end")
  }),
  ioLaw("readSomeAt gives what there is, and 0 beyond the end", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10))
    for (const size of [8, largeBytes]) {
      const buffer = new Uint8Array(size)
      checkEqual(yield* file.readSomeAt(4, buffer), 6, `${size} bytes at 4`)
      checkBytes(buffer.subarray(0, 6), pattern(10).subarray(4), "what there is")
      checkBytes(buffer.subarray(6), new Uint8Array(size - 6), "what there isn't")
      checkEqual(file.unsafe.readSomeAt(4, new Uint8Array(size)), 6, "unsafe")
      checkEqual(yield* file.readSomeAt(10, buffer), 0, "at the end")
      checkEqual(yield* file.readSomeAt(beyondFourGiB, buffer), 0, "far beyond the end")
    }
  }),
  ioLaw("an empty write changes nothing, not even the size", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10))
    yield* file.writeAt(100, pattern(0))
    checkEqual(yield* file.size, 10, "size")
  }),
  ioLaw("transfers larger than 1 MiB are whole, at odd places too", function* ({ directory, io }) {
    const bytes = pattern(largeBytes)
    const file = yield* fileOf(io, `${directory}/file`, pattern(5))
    yield* file.writeAt(3, bytes)
    checkEqual(yield* file.size, largeBytes + 3, "size")
    checkBytes(yield* bytesAt(file, 3, largeBytes), bytes, "large write, large read")
    const twin = new Uint8Array(largeBytes)
    file.unsafe.writeAt(8, bytes)
    file.unsafe.readAt(8, twin)
    checkBytes(twin, bytes, "the unsafe twins")
  }),
  ioLaw("offsets beyond 4 GiB are offsets like any other", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10))
    yield* file.writeAt(beyondFourGiB, pattern(10, 2))
    checkEqual(yield* file.size, beyondFourGiB + 10, "size")
    checkBytes(yield* bytesAt(file, beyondFourGiB, 10), pattern(10, 2), "the bytes there")
    checkBytes(yield* bytesAt(file, 0, 10), pattern(10), "the bytes at the same 32 bits")
    checkBytes(yield* bytesAt(file, beyondFourGiB - 2 ** 32, 10), new Uint8Array(10), "the hole")
    yield* checkFails("ReadOutOfBounds", bytesAt(file, beyondFourGiB + 1, 10), "past that end")
    yield* file.truncate(beyondFourGiB + 5)
    checkEqual(file.unsafe.size(), beyondFourGiB + 5, "size after truncation")
  }),
  ioLaw("truncate shortens, and extends with zeros", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(100_000))
    yield* file.truncate(70_000)
    checkBytes(yield* contentOf(file), pattern(100_000).subarray(0, 70_000), "shortened")
    yield* file.truncate(150_000)
    const expected = new Uint8Array(150_000)
    expected.set(pattern(100_000).subarray(0, 70_000))
    checkBytes(yield* contentOf(file), expected, "extended")
    file.unsafe.truncate(0)
    checkEqual(yield* file.size, 0, "emptied")
  }),
  ioLaw("sync succeeds, by either twin, and loses nothing", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10))
    yield* Effect.all([file.sync, file.sync], { concurrency: 2 })
    file.unsafe.sync()
    checkBytes(yield* contentOf(file), pattern(10), "content")
  })
]

const interruptions: ReadonlyArray<IoLaw> = [
  ioLaw("an interrupted large write completes all the same", function* ({ directory, io }) {
    const bytes = pattern(32 * (1 << 20))
    const file = yield* io.create(`${directory}/file`, { overwrite: false })
    const fiber = yield* Effect.forkChild(file.writeAt(0, bytes), { startImmediately: true })
    yield* Fiber.interrupt(fiber)
    const read = yield* contentOf(file)
    check(read.length === bytes.length, `${read.length} of ${bytes.length} bytes are there`)
    checkBytes(read, bytes, "content")
  }),
  ioLaw("nobody writes into the buffer of a large read after its interruption", function* (law) {
    const { directory, io } = law
    const file = yield* fileOf(io, `${directory}/file`, pattern(32 * (1 << 20)))
    const buffer = new Uint8Array(32 * (1 << 20))
    const fiber = yield* Effect.forkChild(file.readAt(0, buffer), { startImmediately: true })
    yield* Fiber.interrupt(fiber)
    buffer.fill(0)
    yield* Effect.sleep(50)
    check(
      buffer.every((byte) => byte === 0),
      "bytes came after the interruption was over"
    )
  }),
  ioLaw("a close during a large write waits for it", function* ({ directory, io }) {
    const path = `${directory}/file`
    const bytes = pattern(32 * (1 << 20))
    const file = yield* io.create(path, { overwrite: false })
    const fiber = yield* Effect.forkChild(file.writeAt(0, bytes), { startImmediately: true })
    yield* file.close
    yield* Fiber.join(fiber)
    const other = yield* io.open(path, { readonly: true })
    checkBytes(yield* contentOf(other), bytes, "content")
  })
]

export const ioFileLaws: ReadonlyArray<IoLaw> = [...transfers, ...interruptions]
