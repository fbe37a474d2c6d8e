// Writes the cases of the public suite of cache tests as JSON: node cases.mjs SUITE OUT
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const [suite, out] = process.argv.slice(2)
const load = async file => (await import(pathToFileURL(resolve(suite, file)))).default
const sets = await load('tests/index.mjs')

// What RFC 9213 made of Surrogate-Control: the same cases, but for those of its own way to name whom it means. Later
// forms of the suite have this set themselves.
const targeted = 'cdn-cache-control'
if (!sets.some(set => set.id === targeted)) {
  const { tests } = await load('tests/surrogate-control.mjs')
  const own = tests.filter(test => !/target|capabilities/.test(test.id))
  const text = JSON.stringify(own).replaceAll('Surrogate-Control', 'CDN-Cache-Control').replaceAll(';CAPABILITY_TARGET', '')
  sets.push({ id: targeted, tests: JSON.parse(text.replaceAll('"surrogate-', '"cdn-')) })
}
writeFileSync(out, JSON.stringify(sets.flatMap(set => set.tests.map(test => ({ ...test, set: set.id })))))
