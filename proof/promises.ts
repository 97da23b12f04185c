/**
 * What whoever uses an engine has been promised, when every state can be told in a string: of the
 * states that were begun since the last one that was acknowledged, any may be found, and no other.
 */
import { LawBroken } from "../src/testing/law.ts"

export type Promised =
  /** From here on this may be found. */
  | { readonly begun: string }
  /** From here on this is found, or what is begun later. */
  | { readonly done: string }

const shortened = (text: string): string => (text.length <= 200 ? text : `${text.slice(0, 200)}…`)

/** Throws unless `found` may be found; `first` is what is there before anything was done. */
export const checkPromises = (found: string, notes: ReadonlyArray<Promised>, first: string): void => {
  let allowed = [first]
  for (const note of notes) allowed = "done" in note ? [note.done] : [...allowed, note.begun]
  if (allowed.includes(found)) return
  const texts = [...new Set(allowed)].map(shortened)
  throw new LawBroken(`found ${shortened(found)}; may be found: ${texts.join(" or ")}`)
}
