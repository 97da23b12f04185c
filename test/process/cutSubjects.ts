/**
 * A store that is cut off from its disk, and the way to get any subject by its name.
 */
import { join } from "node:path"
import { CutAppendOnlyFile, CutExtentFile, CutSparseFiles } from "./cutFileSubjects.ts"
import type { CutSubject } from "./cutMessages.ts"
import { count, type Met, type Round, type Subject } from "./cutSubject.ts"
import type { KillMessage, KillOrder } from "./killedWriter.ts"
import { Ledger } from "./ledger.ts"
import type { Random } from "../../src/testing/random.ts"
import { Acknowledged, judgeStore, storeSetup, type StoreSetup } from "./storeJudge.ts"

class CutStore implements Subject {
  readonly program = "killedWriter.ts"
  private readonly setup: StoreSetup
  private readonly ledger = new Ledger()
  private acknowledged = new Acknowledged(this.ledger)

  constructor(series: number, root: string) {
    this.setup = storeSetup(series, join(root, "store"))
  }

  order({ cut, round, seed }: Round): KillOrder {
    this.acknowledged = new Acknowledged(this.ledger)
    return { ...this.setup, seed, round, cut, ledger: this.ledger.toNumbers() }
  }

  hear(message: KillMessage, late?: boolean): void {
    this.acknowledged.hear(message, late)
  }

  async judge(random: Random, met: Met): Promise<void> {
    const { acknowledged, ledger, setup } = this
    const { collectionInFlight, collections, commitInFlight, commits, opened } = acknowledged
    const { end } = ledger
    // A reader changes nothing: the next writer recovers, and may be cut off meanwhile.
    const asWriter = ledger.end === 0 || random.percent(60)
    const { controlRepaired, debris, tornTail } = await judgeStore(setup, acknowledged, random, asWriter)
    count(met, "storeCuts")
    count(met, "cutsInOpening", !opened)
    count(met, "commits", commits)
    count(met, "collections", acknowledged.collections)
    count(met, "cutsInCommits", commitInFlight)
    count(met, "commitsUnacknowledgedAndThere", ledger.end > end)
    count(met, "cutsInCollections", collectionInFlight)
    count(met, "collectionsUnacknowledgedAndThere", acknowledged.collections > collections)
    count(met, "judgedByWriter", asWriter)
    count(met, "withDebris", debris)
    count(met, "withTornTail", tornTail)
    count(met, "withTornControl", controlRepaired)
  }
}

export const makeSubject = (kind: CutSubject | "store", series: number, root: string): Subject => {
  switch (kind) {
    case "store":
      return new CutStore(series, root)
    case "append-only file":
      return new CutAppendOnlyFile(series, root)
    case "sparse files":
      return new CutSparseFiles(series, root)
    case "extent file":
      return new CutExtentFile(series, root)
  }
}
