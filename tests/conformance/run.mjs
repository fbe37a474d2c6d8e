// Runs cases of the public suite of cache tests with its own client: node run.mjs SUITE CASES BASE OUT
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const [suite, cases, base, out] = process.argv.slice(2)
const { runTests, getResults } = await import(pathToFileURL(resolve(suite, 'client/runner.mjs')))
const fetch = createRequire(resolve(suite, 'cli.mjs'))('node-fetch')
await runTests([{ tests: JSON.parse(readFileSync(cases)) }], fetch, false, base)
writeFileSync(out, JSON.stringify(getResults(), null, 2))
