/**
 * What the tools of lacuna/testing can't do without Node: to end a decoder that never ends, and to count what
 * memory is asked for.
 */
import vm from "node:vm"
import type { AllocationMeter, DamageGuard } from "../src/testing/exploreDamage.ts"

/**
 * Runs `body` under the time limit of `node:vm`, whose watchdog is a thread of its own: it ends any loop of
 * JavaScript, at any depth, on this thread.
 */
export const guard: DamageGuard = (body, limitMillis) => {
  const context = guarded
  context.body = body
  try {
    script.runInContext(context, { timeout: Math.ceil(limitMillis) })
    return true
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT") return false
    throw error
  } finally {
    context.body = nothing
  }
}

const nothing = (): void => {}
const guarded = vm.createContext({ body: nothing }) as { body: () => void }
const script = new vm.Script("body()")

const buffers = ["ArrayBuffer", "SharedArrayBuffer"] as const
const arrays = [
  ...["Uint8Array", "Int8Array", "Uint8ClampedArray", "Uint16Array", "Int16Array"],
  ...["Uint32Array", "Int32Array", "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array"]
] as const

type Constructor = new (...args: ReadonlyArray<unknown>) => object

/**
 * Counts what is asked of the constructors of buffers, of typed arrays and of arrays of a given length, from now on
 * and for all of the process. What is asked for counts, and not what is touched of it: zeroed memory costs nothing
 * before it is used, so that the size of the process would say nothing of a count that was believed. What
 * Node's own code allocates, and arrays that grow, are not counted: for those there is the time limit.
 */
export const installMeter = (): AllocationMeter => {
  let counted = 0
  const globals = globalThis as unknown as Record<string, Constructor>
  const wrap = (name: string, unitBytes: number): void => {
    const original = globals[name]
    // Not a Proxy, which takes several times as long: what a decoder does most is to make views.
    function Counting(this: unknown, first: unknown, second: unknown, third: unknown): object {
      if (typeof first === "number") counted += first * unitBytes
      else if (typeof first === "object" && first !== null && "length" in first) {
        counted += Number(first.length) * unitBytes
      }
      if (new.target === (Counting as unknown)) return new original(first, second, third)
      // A class that extends it, or a call without `new`, which is refused.
      return Reflect.construct(original, [first, second, third], new.target) as object
    }
    Object.setPrototypeOf(Counting, original)
    Counting.prototype = original.prototype as object
    globals[name] = Counting as unknown as Constructor
  }
  for (const name of buffers) wrap(name, 1)
  for (const name of arrays) wrap(name, (globals[name] as unknown as Uint8ArrayConstructor).BYTES_PER_ELEMENT)
  const from = Array.from.bind(Array) as (...args: ReadonlyArray<unknown>) => Array<unknown>
  Array.from = ((...args: ReadonlyArray<unknown>) => {
    const [first] = args
    if (typeof first === "object" && first !== null && "length" in first && !(Symbol.iterator in first)) {
      counted += Number(first.length) * 8
    }
    return from(...args)
  }) as typeof Array.from
  return {
    reset: () => {
      counted = 0
    },
    bytes: () => counted
  }
}
