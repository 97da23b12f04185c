/** What can run in a process of its own, by name. */
import { appendCase } from "./append.ts"
import { buildAloneCase, buildCase } from "./build.ts"
import { copyAloneCase, copyCase } from "./copy.ts"
import { offloadedReadCase } from "./offloadedRead.ts"
import { offloadedWriteCase } from "./offloadedWrite.ts"
import { offmapUnmappedCase, offmapUnmappedOnceCase } from "./offmapUnmapped.ts"
import { openCase, openOnceCase } from "./open.ts"
import { pageGetCase } from "./pageGet.ts"
import { pageMissCase } from "./pageMiss.ts"
import { pagePoliciesCase } from "./pagePolicies.ts"
import { peersCase } from "./peers.ts"
import { readCase } from "./read.ts"
import { sizeCase } from "./size.ts"
import { sparseIoFetchCase } from "./sparseIoFetch.ts"
import { sparseIoReadCase } from "./sparseIoRead.ts"
import { storeAppendCase } from "./storeAppend.ts"
import { storeCollectCase } from "./storeCollect.ts"
import { storeCollectBusyCase } from "./storeCollectBusy.ts"
import { storeReadCase } from "./storeRead.ts"
import { translateCase } from "./translate.ts"

export const jobs = {
  append: appendCase,
  build: buildCase,
  buildAlone: buildAloneCase,
  copy: copyCase,
  copyAlone: copyAloneCase,
  offloadedRead: offloadedReadCase,
  offloadedWrite: offloadedWriteCase,
  offmapUnmapped: offmapUnmappedCase,
  offmapUnmappedOnce: offmapUnmappedOnceCase,
  open: openCase,
  openOnce: openOnceCase,
  pageGet: pageGetCase,
  pageMiss: pageMissCase,
  pagePolicies: pagePoliciesCase,
  peers: peersCase,
  read: readCase,
  size: sizeCase,
  sparseIoFetch: sparseIoFetchCase,
  sparseIoRead: sparseIoReadCase,
  storeAppend: storeAppendCase,
  storeCollect: storeCollectCase,
  storeCollectBusy: storeCollectBusyCase,
  storeRead: storeReadCase,
  translate: translateCase
}

export type JobName = keyof typeof jobs
