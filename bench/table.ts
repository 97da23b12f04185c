/** The rows as a table for people. */
import { reached } from "./result.ts"
import type { Row } from "./result.ts"

const number = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)

const goalText = ({ goal }: Row): string => {
  if (goal === undefined) return ""
  const most = Number(goal.most.toPrecision(3))
  return goal.of === "ratio" ? `<= ${most} x ${goal.to ?? "C"}` : `<= ${most}`
}

const verdict = (row: Row): string => {
  const held = reached(row)
  if (row.goal === undefined) return ""
  return held === undefined ? "nothing to compare" : held ? "reached" : "MISSED"
}

const headings = ["case", "side", "median", "ratio", "goal", "", "rounds"]

const cellsOf = (row: Row): Array<string> => [
  `${row.case}, ${row.variant}`,
  row.note === undefined ? row.side : `${row.side} (${row.note})`,
  `${number(row.value)} ${row.unit}`,
  row.ratio === undefined ? "" : row.ratio.toFixed(2),
  goalText(row),
  verdict(row),
  row.rounds === undefined ? "" : `${number(Math.min(...row.rounds))} to ${number(Math.max(...row.rounds))}`
]

export const formatTable = (rows: ReadonlyArray<Row>): string => {
  const lines = [headings, ...rows.map(cellsOf)]
  const widths = headings.map((_, column) => Math.max(...lines.map((cells) => cells[column].length)))
  const format = (cells: ReadonlyArray<string>): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]))
      .join("  ")
      .trimEnd()
  return [
    format(lines[0]),
    widths.map((width) => "-".repeat(width)).join("  "),
    ...lines.slice(1).map(format)
  ].join("\n")
}
