// Writes the cases of the public suite of cache tests as JSON: node cases.mjs SUITE OUT
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const [suite, out] = process.argv.slice(2)
const { default: sets } = await import(pathToFileURL(resolve(suite, 'tests/index.mjs')))
writeFileSync(out, JSON.stringify(sets.flatMap(set => set.tests.map(test => ({ ...test, set: set.id })))))
