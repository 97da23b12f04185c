/** Bytes as text, so that states can be compared, and told. */
export const hex = (bytes: Uint8Array | ReadonlyArray<number>): string => Buffer.from(bytes).toString("hex")
