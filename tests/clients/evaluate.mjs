// Evaluate flags with published Node clients: a job on stdin, answers on stdout (see evaluate.py).
import { readFileSync } from 'node:fs'

const KINDS = { string: '', integer: -1, number: -1.0, boolean: false, json: {} }
const job = JSON.parse(readFileSync(0, 'utf8'))

async function ofrep() {
  const { OpenFeature } = await import('@openfeature/server-sdk')
  const { OFREPProvider } = await import('@openfeature/ofrep-provider')
  const provider = new OFREPProvider({ baseUrl: job.url, headers: [['Authorization', `Bearer ${job.key}`]] })
  await OpenFeature.setProviderAndWait(provider)
  const client = OpenFeature.getClient()
  const answers = []
  for (const call of job.calls) {
    if (call.pause) {
      await new Promise((resolve) => setTimeout(resolve, call.pause * 1000))
      continue
    }
    const kind = call.type ?? 'string'
    const name = { integer: 'Number', number: 'Number', json: 'Object', string: 'String', boolean: 'Boolean' }[kind]
    const context = { ...(call.unit ? { targetingKey: call.unit } : {}), ...(call.attributes ?? {}) }
    const details = await client[`get${name}Details`](call.flag, KINDS[kind], context)
    answers.push({
      value: details.value,
      variant: details.variant ?? null,
      reason: details.reason ?? null,
      error: details.errorCode ?? null,
      metadata: details.flagMetadata ?? {}
    })
  }
  return answers
}

async function growthbook() {
  const { GrowthBook } = await import('@growthbook/growthbook')
  const book = new GrowthBook({ apiHost: job.url, clientKey: job.key })
  await book.init({ timeout: 5000 })
  const answers = []
  for (const unit of job.units) {
    await book.setAttributes(unit)
    answers.push(job.flags.map((flag) => book.evalFeature(flag).experimentResult?.key ?? 'default'))
  }
  return answers
}

async function values() {
  const { GrowthBook } = await import('@growthbook/growthbook')
  let tracked = 0
  const book = new GrowthBook({ apiHost: job.url, clientKey: job.key, trackingCallback: () => { tracked += 1 } })
  await book.init({ timeout: 5000 })
  const answers = []
  for (const unit of job.units) {
    await book.setAttributes(unit)
    answers.push(job.flags.map((flag) => book.getFeatureValue(flag, 'unknown')))
  }
  return [answers, tracked]
}

async function remote() {
  const { GrowthBook } = await import('@growthbook/growthbook')
  const answers = []
  for (const unit of job.units) {
    const tracked = []
    const book = new GrowthBook({
      apiHost: job.url,
      clientKey: job.key,
      remoteEval: true,
      attributes: unit,
      trackingCallback: (experiment, result) => tracked.push([experiment.key, result.key])
    })
    await book.init({ timeout: 5000 })
    const values = job.flags.map((flag) => book.getFeatureValue(flag, 'unknown'))
    await new Promise((resolve) => setTimeout(resolve, 10))
    answers.push({ values, tracked })
  }
  return answers
}

const answers = await { ofrep, growthbook, values, remote }[job.client]()
process.stdout.write(JSON.stringify(answers), () => process.exit(0))
