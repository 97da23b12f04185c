/** The process of one part: takes its name and options as an argument, and prints the report as JSON. */
import type { PartOptions } from "./part.ts"
import { parts } from "./parts.ts"

export interface PartOrder extends PartOptions {
  readonly name: string
}

export const main = async ([argument]: ReadonlyArray<string>): Promise<void> => {
  const { name, ...options } = JSON.parse(argument) as PartOrder
  const part = await parts[name]()
  const text = JSON.stringify(await part.run(options))
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()))
}
