/** Bytes as text, so that states can be compared, and told. */
export const hex = (bytes: Iterable<number>): string => {
  let text = ""
  for (const byte of bytes) text += (byte + 256).toString(16).slice(1)
  return text
}
