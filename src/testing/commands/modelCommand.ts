/**
 * Commands as fast-check's model-based testing takes them, without an import of it: a step, taken by a model and by
 * an engine, and what both gave compared.
 */

/** One step. It fits `fc.commands` and `fc.asyncModelRun`. */
export interface ModelCommand<Model extends object, Real> {
  /** Whether the step makes sense in this state. */
  check(model: Readonly<Model>): boolean
  /** Takes the step on both sides; rejected with `LawBroken` where they differ. */
  run(model: Model, real: Real): Promise<void>
  toString(): string
}

/** What `fc.asyncModelRun` begins with. */
export interface ModelSetup<Model extends object, Real> {
  readonly model: Model
  readonly real: Real
}

interface Step {
  readonly step: string
}

/** `append(size: 12)` */
export const stepName = ({ step, ...rest }: Step): string => {
  const parts = Object.entries(rest).map(
    ([name, value]) => `${name}: ${JSON.stringify(value) ?? String(value)}`
  )
  return `${step}(${parts.join(", ")})`
}

/** Steps as commands. */
export const commandOf = <S extends Step, Model extends object, Real>(
  step: S,
  check: (step: S, model: Readonly<Model>) => boolean,
  take: (step: S, model: Model, real: Real) => Promise<void>
): ModelCommand<Model, Real> => ({
  check: (model) => check(step, model),
  run: (model, real) => take(step, model, real),
  toString: () => stepName(step)
})

/** Bytes that were not written just before, and never 0, so that a stale one shows. */
export class FreshBytes {
  private counter = 0

  take(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, () => (this.counter = (this.counter + 7) % 251) + 1)
  }
}

/** Takes commands one after the other, as `fc.asyncModelRun` does, where a plain list of them is wanted. */
export const runCommands = async <Model extends object, Real>(
  { model, real }: ModelSetup<Model, Real>,
  commands: Iterable<ModelCommand<Model, Real>>
): Promise<void> => {
  let number = 0
  for (const command of commands) {
    number++
    if (!command.check(model)) continue
    await command.run(model, real).catch((error: unknown) => {
      throw new Error(`step ${number}, ${command.toString()}: ${String(error)}`, { cause: error })
    })
  }
}
