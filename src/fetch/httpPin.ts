/**
 * The version of an object that a source is pinned to, with which every answer is compared.
 *
 * What the first answer told is its identity, which never changes. A validator that the first answer lacked
 * and a later one has is adopted: from then on it is compared too, though it is neither in the identity, nor
 * a condition, since not every server of the object may know it. Where no answer has a validator, only another
 * length is noticed: that is as much as HTTP lets one know.
 */
import { SourceChanged } from "../bytes/errors.ts"
import { quoted } from "./httpAddress.ts"
import { refused } from "./httpFault.ts"
import { conditionOf, described, type Found, type HttpVersion, isStrong, opaqueTagOf } from "./httpVersion.ts"

/** Beside the validators of an answer, what they have to tell. */
export interface Told extends Found {
  /** It is a part that was sent under a condition: what holds it may leave out Last-Modified. */
  readonly isConditional: boolean
}

export class HttpPin {
  readonly length: number
  readonly identity: string
  /** Whether the identity tells more than the length. */
  readonly isVersioned: boolean
  private readonly source: string
  /** What the first answer told. */
  private readonly told: HttpVersion
  /** The same, and what was adopted since. */
  private pinned: HttpVersion

  constructor(source: string, version: HttpVersion) {
    this.source = source
    this.told = version
    this.pinned = version
    this.length = version.length
    this.identity = described(version)
    this.isVersioned = version.etag !== undefined || version.lastModified !== undefined
  }

  /** The headers that ask for a part of this version only. */
  get condition(): Readonly<Record<string, string>> {
    // RFC 9110, 13.1.5: no date where there is an ETag.
    return this.pinned.etag === this.told.etag ? conditionOf(this.told) : {}
  }

  /** Throws `SourceChanged` when what an answer tells contradicts the pinned version. */
  checkUnchanged(found: Found): void {
    const { etag, lastModified } = this.pinned
    if (found.length !== undefined && found.length !== this.length) throw this.changed(described(found))
    if (etag !== undefined && found.etag !== undefined) {
      if (found.etag !== etag) throw this.changed(described(found))
      if (isStrong(etag)) return
    }
    // Mirrors may have dates of their own for the same bytes: where there is a strong ETag, they count for nothing.
    if (isStrong(this.told.etag) || lastModified === undefined || found.lastModified === undefined) return
    if (found.lastModified !== lastModified) throw this.changed(described(found))
  }

  /** The same for an answer in another coding: its length, and the strength of its ETag, are those of the coded bytes. */
  checkCodedUnchanged(found: Found): void {
    const { etag } = this.pinned
    const isSame =
      etag !== undefined && found.etag !== undefined && opaqueTagOf(etag) === opaqueTagOf(found.etag)
    if (!isSame) this.checkUnchanged({ ...found, length: undefined })
  }

  /** Throws as `checkUnchanged` does, and an `HttpFault` when an answer doesn't say of which version it is, though others did. */
  check(found: Told): void {
    this.checkUnchanged(found)
    const { etag, lastModified } = this.pinned
    if (etag !== undefined && found.etag !== undefined) return
    if (this.told.etag !== undefined) {
      throw refused("the server no longer says which version it sends (ETag)")
    }
    if (lastModified !== undefined && (found.lastModified !== undefined || found.isConditional)) return
    if (etag === undefined && lastModified === undefined) return
    throw refused(
      `the server no longer says which version it sends (${lastModified === undefined ? "ETag" : "Last-Modified"})`
    )
  }

  /** Takes over what an accepted answer tells beyond what is known. */
  adopt({ etag, isDateStrong, lastModified }: Found): void {
    if (this.pinned.etag === undefined && etag !== undefined) this.pinned = { ...this.pinned, etag }
    if (this.pinned.lastModified === undefined && lastModified !== undefined) {
      this.pinned = { ...this.pinned, lastModified, isDateStrong }
    }
  }

  /** Another version, by its status alone. */
  changedByStatus(status: number): SourceChanged {
    return this.changed(`another version (status ${status})`)
  }

  private changed(found: string): SourceChanged {
    return new SourceChanged({
      source: this.source,
      expected: quoted(described(this.pinned)),
      found: quoted(found)
    })
  }
}
