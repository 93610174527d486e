// Send events with the published Node client: a job on stdin, errors on stdout (see send.py).
import { readFileSync } from 'node:fs'
import { Analytics } from '@segment/analytics-node'

const job = JSON.parse(readFileSync(0, 'utf8'))
const errors = []
const client = new Analytics({ writeKey: job.key, host: job.host })
client.on('error', (error) => errors.push(`${error.code}: ${error.reason ?? ''}`))

if (job.kinds) {
  const id = (kind) => `${job.prefix}-${kind}`
  client.identify({ userId: 'u1', traits: { plan: job.prefix }, messageId: id('identify') })
  client.track({ userId: 'u1', event: 'invite', properties: { 한글: '값', n: 1 }, messageId: id('track') })
  client.page({ userId: 'u1', category: 'docs', name: 'home', properties: { n: 2 }, messageId: id('page') })
  client.screen({ userId: 'u1', category: 'game', name: 'lobby', properties: { n: 3 }, messageId: id('screen') })
  client.group({ userId: 'u1', groupId: 'g1', traits: { size: 4 }, messageId: id('group') })
  client.alias({ userId: 'u1', previousId: 'old', messageId: id('alias') })
  client.track({ anonymousId: 'a1', event: 'visit', messageId: id('anonymous') })
}
for (const anonymousId of job.visits ?? []) client.track({ anonymousId, event: 'visit' })
for (const [anonymousId, userId] of job.logins ?? []) client.identify({ userId, anonymousId, traits: { plan: 'pro' } })
for (const [anonymousId, userId] of job.opens ?? []) client.track({ userId, anonymousId, event: 'open' })
for (const [previousId, userId] of job.aliases ?? []) client.alias({ userId, previousId })
for (let number = 0; number < job.count; number += 1) {
  const name = `${job.prefix}-${number}`
  client.track({ userId: `u${number % 97}`, event: 'play', properties: { n: number }, messageId: name })
}
await client.closeAndFlush()
process.stdout.write(JSON.stringify({ errors }))
