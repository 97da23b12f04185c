/**
 * What only the command line can get wrong. Everything else is an error of the library.
 *
 * Each `message` is one line, since it goes to standard error as it is.
 */
import * as Data from "effect/Data"

/** A line of a live list is not an extent of the source. `line` counts from 1. */
export class BadLiveList extends Data.TaggedError("BadLiveList")<{
  readonly name: string
  readonly line: number
  readonly reason: string
}> {
  override get message(): string {
    return `${this.name}, line ${this.line}: ${this.reason}`
  }
}

/** Two arguments that must be different files are the same one. */
export class SameFile extends Data.TaggedError("SameFile")<{
  readonly path: string
  readonly roles: string
}> {
  override get message(): string {
    return `${this.path} is ${this.roles}: choose another file`
  }
}

/** The sparse file and its source hold different bytes at one offset. */
export class Different extends Data.TaggedError("Different")<{
  readonly path: string
  readonly source: string
  readonly offset: number
  readonly here: number
  readonly there: number
}> {
  override get message(): string {
    const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, "0")}`
    return (
      `${this.path} differs from ${this.source} at offset ${this.offset}: ` +
      `${hex(this.here)} here, ${hex(this.there)} there`
    )
  }
}

/** The source ends before an extent that the sparse file holds, so it can't be what was compacted. */
export class SourceTooShort extends Data.TaggedError("SourceTooShort")<{
  readonly source: string
  readonly size: number
  readonly end: number
}> {
  override get message(): string {
    return `${this.source} has ${this.size} bytes, and an extent that was kept ends at ${this.end}: it is another file, or was cut`
  }
}

/** A file was given as a sparse file, and has no map beside it. */
export class NotSparse extends Data.TaggedError("NotSparse")<{
  readonly path: string
  readonly missing: string
}> {
  override get message(): string {
    return `${this.path} is not a sparse file, or has lost its map: there is no ${this.missing}`
  }
}

/** A directory was given as a store, and is none. */
export class NotAStore extends Data.TaggedError("NotAStore")<{ readonly path: string }> {
  override get message(): string {
    return `${this.path} is not a store: there is no store.control in it`
  }
}

/** A store was to be made where one is already. */
export class StoreExists extends Data.TaggedError("StoreExists")<{ readonly path: string }> {
  override get message(): string {
    return `${this.path} is a store already: nothing was changed`
  }
}

/** A check of a store found damage, `places` kinds of it. */
export class StoreDamaged extends Data.TaggedError("StoreDamaged")<{
  readonly path: string
  readonly places: number
  readonly first: string
}> {
  override get message(): string {
    const others = this.places === 1 ? "" : `, and ${this.places - 1} more`
    return `the store ${this.path} is damaged: ${this.first}${others}`
  }
}

/** Ranges were asked for, none of which has a byte of the object. */
export class NothingInRange extends Data.TaggedError("NothingInRange")<{
  readonly source: string
  readonly length: number
}> {
  override get message(): string {
    return `${this.source} has ${this.length} bytes, and the ranges asked for lie beyond them`
  }
}

/** It can't be told whether an object is a sparse file. */
export class MapUnclear extends Data.TaggedError("MapUnclear")<{
  readonly source: string
  readonly reason: string
}> {
  override get message(): string {
    return `whether ${this.source} is a sparse file can't be told (${this.reason}): give the URL of its map by --map, or say --plain`
  }
}

/** An object has changed since a part of it was fetched. */
export class ObjectChanged extends Data.TaggedError("ObjectChanged")<{
  readonly out: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.reason}; --restart forgets what ${this.out} has of it, and fetches it anew`
  }
}

/** A part of an object was fetched before, and nothing tells whether it is still the same one. */
export class NoVersion extends Data.TaggedError("NoVersion")<{
  readonly source: string
  readonly out: string
}> {
  override get message(): string {
    return (
      `${this.source} has no ETag and no Last-Modified, so what ${this.out} has of it may be of another version: ` +
      "--restart fetches it anew, --trust-length goes on"
    )
  }
}

/** A flag was given with a path that only URLs have a use for. */
export class OnlyForUrls extends Data.TaggedError("OnlyForUrls")<{
  readonly path: string
  readonly flag: string
}> {
  override get message(): string {
    return `--${this.flag} is for URLs, and ${this.path} is a path`
  }
}

/** A flag was given with a store that only sparse files have a use for. */
export class NotForStores extends Data.TaggedError("NotForStores")<{
  readonly path: string
  readonly flag: string
}> {
  override get message(): string {
    return `--${this.flag} is for sparse files, and ${this.path} is a directory`
  }
}

/** Something that should hold by construction did not: the demonstration found a wrong byte. */
export class DemoFailed extends Data.TaggedError("DemoFailed")<{ readonly reason: string }> {
  override get message(): string {
    return this.reason
  }
}

/** Whoever read standard output has gone. Nobody is left to tell. */
export class OutputClosed extends Data.TaggedError("OutputClosed")<{}> {
  override get message(): string {
    return "standard output was closed"
  }
}
