/**
 * An inspection as a web page of its own: no script, no font, no request.
 */
import type { Inspection } from "./inspection.ts"

export const page = (inspection: Inspection): string => {
  const title = escape(inspection.path)
  const rows = inspection.figures.map(
    ([name, value]) => `<tr><th>${escape(name)}</th><td>${escape(value)}</td></tr>`
  )
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title} – lacuna</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }
  th { text-align: left; font-weight: normal; color: #666; padding-right: 1.5rem }
  td { font-variant-numeric: tabular-nums }
  pre { font: 13px/1.15 ui-monospace, monospace; overflow-x: auto }
</style>
<h1>${title}</h1>
<table>
${rows.join("\n")}
</table>
<pre>
${escape(inspection.picture.join("\n"))}
</pre>
</html>
`
}

const entities: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character])
