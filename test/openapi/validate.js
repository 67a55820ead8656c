// Holds recorded exchanges against the OpenAPI document: node validate.js DOCUMENT EXCHANGES.
// Prints what is wrong, and fails if anything is.
import { readFileSync } from 'node:fs'
import Ajv from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

const [doc, exchanges] = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')))

// Headers that come with every answer, or that HTTP itself is about.
const others = new Set(['content-type', 'content-length', 'x-content-type-options'])

// close makes every object schema refuse properties that it does not name. Callers must ignore
// those; here they are what somebody forgot to describe.
function close(schema) {
  if (schema === null || typeof schema !== 'object') return schema
  if (Array.isArray(schema)) return schema.map(close)
  const closed = Object.fromEntries(Object.entries(schema).map(([name, value]) =>
    [name, ['enum', 'examples', 'default', 'required'].includes(name) ? value : close(value)]))
  if (closed.$ref) closed.$ref = closed.$ref.replace('#/components/schemas/', 'api#/$defs/')
  if (closed.type?.includes?.('object') && schema.additionalProperties === undefined) closed.unevaluatedProperties = false
  return closed
}

const ajv = new Ajv({ strict: true, strictRequired: true, strictTypes: true, strictTuples: true, allErrors: true, verbose: true })
addFormats(ajv)
ajv.addSchema({ $id: 'api', $defs: Object.fromEntries(Object.entries(doc.components.schemas).map(([name, schema]) => [name, close(schema)])) })

// faults returns what is wrong with a value by a schema.
function faults(schema, value) {
  const validate = ajv.compile(close(schema))
  if (validate(value)) return []
  return validate.errors.map((e) => `${e.instancePath || '/'} ${e.message} ${JSON.stringify(e.params)}: ${JSON.stringify(e.data)}`)
}

// headerFaults returns what is wrong with an answer's headers.
function headerFaults(declared = {}, headers) {
  const byName = new Map(Object.entries(declared).map(([name, header]) => [name.toLowerCase(), header]))
  const wrong = []
  for (const [name, header] of byName) {
    if (header.required && headers[name] === undefined) wrong.push(`header ${name} is missing`)
  }
  for (const [name, value] of Object.entries(headers)) {
    if (others.has(name)) continue
    const header = byName.get(name)
    if (!header) wrong.push(`header ${name} is not described`)
    else wrong.push(...faults(header.schema, header.schema.type === 'integer' ? Number(value) : value).map((f) => `header ${name}: ${f}`))
  }
  return wrong
}

// eventFaults returns what is wrong with a stream of events. The data of each must be a job.
function eventFaults(body) {
  const jobs = [...body.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data))
  if (jobs.length === 0) return ['there is no event']
  return jobs.flatMap((job) => faults({ $ref: '#/components/schemas/JobResource' }, job))
}

// bodyFaults returns what is wrong with an answer's body.
function bodyFaults(content, { headers, body }) {
  if (!content) return body === '' ? [] : ['there is a body, and none is described']
  const media = content[headers['content-type']]
  if (media && headers['content-type'] === 'text/event-stream') return [...faults(media.schema, body), ...eventFaults(body)]
  return media ? faults(media.schema, JSON.parse(body)) : [`content type ${headers['content-type']} is not described`]
}

// exchangeFaults returns what is wrong with an exchange.
function exchangeFaults(exchange) {
  const operation = doc.paths[exchange.path][exchange.method]
  const response = operation.responses[exchange.status]
  if (!response) return ['the status is not described']
  const wrong = [...headerFaults(response.headers, exchange.headers), ...bodyFaults(response.content, exchange)]
  if (exchange.status < 300 && operation.requestBody) {
    const schema = operation.requestBody.content['application/json'].schema
    wrong.push(...faults(schema, JSON.parse(exchange.request)).map((f) => `accepted, though ${f}`))
  }
  return wrong
}

for (const exchange of exchanges) {
  for (const fault of exchangeFaults(exchange)) {
    console.log(`${exchange.method} ${exchange.path} ${exchange.status} (${exchange.name}): ${fault}`)
    process.exitCode = 1
  }
}
