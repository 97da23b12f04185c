/**
 * A case of an exploration of faults: which happen while the workload runs, and which in the recovery.
 *
 * Its address is text: the faults of the workload, and behind a `/` those of the recovery. `none` stands for
 * no faults.
 */
import { type Fault, parsedFault, shownFault } from "./faults.ts"

export interface FaultCase {
  readonly workload: ReadonlyArray<Fault>
  readonly recovery: ReadonlyArray<Fault>
}

const shownList = (faults: ReadonlyArray<Fault>): string =>
  faults.length === 0 ? "none" : faults.map(shownFault).join(",")

/** As `EIO@17+`, `EIO@17,short-read@20`, `EMFILE@3/EIO@2`. */
export const faultAddress = ({ recovery, workload }: FaultCase): string =>
  recovery.length === 0 ? shownList(workload) : `${shownList(workload)}/${shownList(recovery)}`

const parsedList = (text: string, address: string): ReadonlyArray<Fault> =>
  text === "none"
    ? []
    : text.split(",").map((one) => {
        const fault = parsedFault(one)
        if (fault === undefined) throw new Error(`${address} is no case: ${one} is no fault`)
        return fault
      })

/** The case of an address. Throws where it is none. */
export const faultCaseAt = (address: string): FaultCase => {
  const [workload, recovery = "none", ...rest] = address.split("/")
  if (rest.length > 0) throw new Error(`${address} is no case: there is one recovery`)
  return { workload: parsedList(workload, address), recovery: parsedList(recovery, address) }
}
