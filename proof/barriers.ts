/**
 * The barriers of the engine: every fsync in its source, found by reading the source, so that none can
 * be forgotten; and orderings that no fsync makes, listed by hand.
 *
 * To break one is to run the engine as if it were not written there.
 */
import fs from "node:fs"
import { fileURLToPath } from "node:url"
import typescript from "typescript"

const root = fileURLToPath(new URL("../", import.meta.url))
const folders = ["src/file", "src/store"]

export interface Barrier {
  /** Where it stands, and what stands there. */
  readonly name: string
  /** Below the project's folder. */
  readonly file: string
  readonly start: number
  readonly end: number
  /** What stands there when the barrier is broken. */
  readonly text: string
  /** The comment that goes with it: what it orders before what. */
  readonly why: string
}

/** Effects that wrap an fsync, and are barriers wherever they are used. */
const wrappers = ["syncRecord", "syncChanges", "syncData", "syncName"]

const { SyntaxKind } = typescript

/** What a node is replaced by when it is an fsync. */
const brokenText = (node: typescript.Node): string | undefined => {
  if (typescript.isCallExpression(node)) {
    const callee = node.expression
    if (typescript.isIdentifier(callee)) return wrappers.includes(callee.text) ? "Effect.void" : undefined
    if (!typescript.isPropertyAccessExpression(callee)) return undefined
    if (callee.name.text === "syncDirectory") return "Effect.void"
    const isNow = callee.name.text === "sync" && callee.expression.getText().endsWith("unsafe")
    return isNow ? "undefined" : undefined
  }
  if (typescript.isIdentifier(node)) {
    const isUse = node.text === "syncName" && node.parent.kind === SyntaxKind.CallExpression
    return isUse ? "Effect.void" : undefined
  }
  if (!typescript.isPropertyAccessExpression(node) || node.name.text !== "sync") return undefined
  const of = node.expression.getText()
  return of === "Effect" || of === "Layer" || of.endsWith("unsafe") ? undefined : "Effect.void"
}

/** The line comment above the statement that a barrier is part of. */
const commentAbove = (text: string, start: number): string => {
  const lines = text.slice(0, start).split("\n").slice(0, -1)
  const comment: Array<string> = []
  for (let line = lines.pop(); line !== undefined; line = lines.pop()) {
    const found = /^\s*(?:\/\/|\/\*\*|\*)\s?(.*?)(?:\s*\*\/)?$/.exec(line)
    if (found !== null) comment.unshift(found[1])
    else if (comment.length > 0 || /^\s*$/.test(line)) break
  }
  return comment.join(" ")
}

const barriersOf = (file: string): ReadonlyArray<Barrier> => {
  const text = fs.readFileSync(root + file, "utf8")
  const source = typescript.createSourceFile(file, text, typescript.ScriptTarget.ES2022, true)
  const found: Array<Barrier> = []
  const visit = (node: typescript.Node): void => {
    const broken = brokenText(node)
    if (broken === undefined) return typescript.forEachChild(node, visit)
    const start = node.getStart(source)
    const { line } = source.getLineAndCharacterOfPosition(start)
    const name = `${file}:${line + 1} ${text.slice(start, node.end)}`
    found.push({ name, file, start, end: node.end, text: broken, why: commentAbove(text, start) })
  }
  visit(source)
  return found
}

export const fsyncs = (): ReadonlyArray<Barrier> =>
  folders.flatMap((folder) =>
    fs
      .readdirSync(root + folder)
      .sort()
      .filter((name) => name.endsWith(".ts"))
      .flatMap((name) => barriersOf(`${folder}/${name}`))
  )

interface Ordering {
  readonly file: string
  readonly why: string
  readonly stands: string
  readonly broken: string
}

/** What must come before what, or be there at all, without being an fsync. */
const orderings: ReadonlyArray<Ordering> = [
  {
    file: "src/store/controlFile.ts",
    why: "the slots of control take turns: the one that counts is never written over",
    stands: "return wrong === undefined ? this.put(next, [slotOf(next.sequence)]) : bug(wrong)",
    broken: "return wrong === undefined ? this.put(next, [0]) : bug(wrong)"
  },
  {
    file: "src/store/controlFile.ts",
    why: "a record that gives up files is in both slots before they are removed",
    stands: "this.put(next, [slot, slot === 0 ? 1 : 0])",
    broken: "this.put(next, [slot])"
  },
  {
    file: "src/store/controlFile.ts",
    why: "the copy of the record that was found goes into the slot that holds nothing first",
    stands: "const order = slotsWhole ? ([slot, other] as const) : ([other, slot] as const)",
    broken: "const order = [slot, other] as const"
  },
  {
    file: "src/store/storeRecovery.ts",
    why: "what was read from control is durable in both slots before anything is built on it",
    stands: "yield* control.repair\n    if",
    broken: "yield* Effect.sync(() => Object.assign(control, { repaired: true }))\n    if"
  },
  {
    file: "src/store/storeRecovery.ts",
    why: "nothing is removed before both slots of control name the same files",
    stands:
      'verifyReads\n    }).pipe(Effect.catchTag("NoSuchFile", (missing) => Effect.fail(fileGone(missing))))\n',
    broken:
      'verifyReads\n    }).pipe(Effect.catchTag("NoSuchFile", (missing) => Effect.fail(fileGone(missing))))\n' +
      "    yield* removeDebris(io, paths, record)\n"
  },
  {
    file: "src/store/collection.ts",
    why: "the former prefix is removed behind the record that gives it up",
    stands: "return Effect.map(committing.poisoning(control.writeBoth(next)), () => {",
    broken:
      "const former = this.removeFiles(sparseNames(state.paths.prefix(state.record.generation)))\n" +
      "      return Effect.map(Effect.andThen(former, committing.poisoning(control.writeBoth(next))), () => {"
  },
  {
    file: "src/file/sparsePromotion.ts",
    why: "the map has its final name after the data",
    stands: "yield* io.rename(paths.dataTmp, paths.data)\n    yield* finishSparsePromotion(io, paths)",
    broken:
      "yield* io.rename(paths.mapTmp, paths.map)\n    yield* io.syncDirectory(directoryOf(paths.data))\n" +
      "    yield* io.rename(paths.dataTmp, paths.data)\n    yield* io.syncDirectory(directoryOf(paths.data))"
  }
]

export const otherOrderings = (): ReadonlyArray<Barrier> =>
  orderings.map(({ broken, file, stands, why }) => {
    const text = fs.readFileSync(root + file, "utf8")
    const start = text.indexOf(stands)
    if (start < 0 || text.indexOf(stands, start + 1) >= 0) {
      throw new Error(`${file} has not exactly one "${stands}": proof/barriers.ts must be brought up to date`)
    }
    const line = text.slice(0, start).split("\n").length
    const name = `${file}:${line} ${stands.split("\n")[0]}`
    return { name, file, start, end: start + stands.length, text: broken, why }
  })
