// A js-libp2p peer for the tests: `peer.mjs dial ADDRESS`, or `peer.mjs listen`.
//
// It prints one line of JSON when it is ready and one when it has tried everything. Its streams carry
// bytes; what Placet's side makes of them is in ../conversation.py.

// Node 20 does not have it yet.
Promise.withResolvers ??= () => {
  let resolve, reject
  const promise = new Promise((res, rej) => { resolve = res; reject = rej })
  return { promise, resolve, reject }
}

const { createHash } = await import('node:crypto')
const { createLibp2p } = await import('libp2p')
const { tcp } = await import('@libp2p/tcp')
const { noise } = await import('@chainsafe/libp2p-noise')
const { yamux } = await import('@chainsafe/libp2p-yamux')
const { ping } = await import('@libp2p/ping')
const { identify } = await import('@libp2p/identify')
const { multiaddr } = await import('@multiformats/multiaddr')

const FRAME_SIZE = 65536
const HEADER = [0xc6, 0, 1, 0, 0] // MessagePack's bin 32 of 65,536 bytes
const FRAMES = 1024
const SLOW_FRAMES = 32
const SLOW_MILLISECONDS = 1000

const [mode, dialled] = process.argv.slice(2)
const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))
const say = value => console.log(JSON.stringify(value))

const node = await createLibp2p({
  addresses: { listen: mode === 'listen' ? ['/ip4/127.0.0.1/tcp/0'] : [] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { ping: ping(), identify: identify() }
})

async function send (stream, data) {
  if (!stream.send(data)) await stream.onDrain()
}

function frame (number) {
  const frame = new Uint8Array(HEADER.length + FRAME_SIZE).fill(number % 256)
  frame.set(HEADER)
  return frame
}

async function sendFrames (stream, count, hash) {
  for (let number = 0; number < count; number++) {
    const data = frame(number)
    hash?.update(data)
    await send(stream, data)
  }
  await stream.close()
}

async function receiveAll (stream) {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of stream) {
    size += chunk.byteLength
    hash.update(chunk.subarray())
  }
  return { size, digest: hash.digest('hex') }
}

// What the peer serves.

const greeted = Promise.withResolvers()

await node.handle('/test/hello/1', async stream => {
  await send(stream, new Uint8Array([0xc4, 2, 104, 105]))
  await stream.close()
  greeted.resolve(true)
})
await node.handle('/test/echo/1', async stream => {
  for await (const chunk of stream) await send(stream, chunk.subarray())
  await stream.close()
})
await node.handle('/test/slow/1', async stream => {
  stream.pause()
  await sleep(SLOW_MILLISECONDS)
  stream.resume()
  const { size } = await receiveAll(stream)
  await send(stream, new Uint8Array([0xc4, 8, 0, 0, 0, 0, ...[24, 16, 8, 0].map(shift => size >>> shift & 255)]))
  await stream.close()
})
await node.handle('/test/reset/1', async stream => {
  for await (const _ of stream) break
  stream.abort(new Error('on purpose'))
})

// What the peer tries.

async function echo (connection) {
  const stream = await connection.newStream('/test/echo/1')
  const hash = createHash('sha256')
  const [echoed] = await Promise.all([receiveAll(stream), sendFrames(stream, FRAMES, hash)])
  return { size: echoed.size, same: echoed.digest === hash.digest('hex') }
}

async function slow (connection) {
  const stream = await connection.newStream('/test/slow/1')
  const [answer] = await Promise.all([receiveAll(stream), sendFrames(stream, SLOW_FRAMES)])
  return answer.size
}

async function isReset (connection) {
  const stream = await connection.newStream('/test/reset/1')
  const closed = new Promise(resolve => stream.addEventListener('close', resolve, { once: true }))
  stream.send(frame(0))
  await closed
  return stream.status === 'reset'
}

async function reset (connection) {
  const stream = await connection.newStream('/test/await-reset/1')
  stream.send(new Uint8Array([0xc4, 2, 104, 105]))
  await sleep(100)
  stream.abort(new Error('on purpose'))
}

async function isRefused (connection) {
  try {
    await connection.newStream('/test/none/1')
    return false
  } catch (error) {
    return error.name === 'UnsupportedProtocolError'
  }
}

async function tryEverything (connection) {
  const seen = {
    ping: await node.services.ping.ping(connection.remotePeer) >= 0,
    identity: (await node.services.identify.identify(connection)).protocols,
    refused: await isRefused(connection),
    echo: await echo(connection),
    slow: await slow(connection),
    wasReset: await isReset(connection)
  }
  await reset(connection)
  await connection.newStream('/test/call-back/1')
  seen.greeted = await greeted.promise
  seen.pingAtEnd = await node.services.ping.ping(connection.remotePeer) >= 0
  return seen
}

const connected = Promise.withResolvers()
node.addEventListener('connection:open', event => connected.resolve(event.detail), { once: true })
await node.start()
say({
  key: Buffer.from(node.peerId.publicKey.raw).toString('hex'),
  addresses: node.getMultiaddrs().map(address => address.toString().split('/p2p/')[0])
})
if (mode === 'dial') await node.dial(multiaddr(dialled))
say(await tryEverything(await connected.promise))

// The other side ends the connection when it has tried everything, too.
for await (const _ of process.stdin) ;
await node.stop()
