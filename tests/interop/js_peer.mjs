// A js-libp2p peer that dials the address it is given, and prints what it saw as one line of JSON.

// Node 20 does not have it yet.
Promise.withResolvers ??= () => {
  let resolve, reject
  const promise = new Promise((res, rej) => { resolve = res; reject = rej })
  return { promise, resolve, reject }
}

const { createLibp2p } = await import('libp2p')
const { tcp } = await import('@libp2p/tcp')
const { noise } = await import('@chainsafe/libp2p-noise')
const { yamux } = await import('@chainsafe/libp2p-yamux')
const { ping } = await import('@libp2p/ping')
const { identify } = await import('@libp2p/identify')
const { multiaddr } = await import('@multiformats/multiaddr')

const FRAME_SIZE = 65536
const HEADER = [0xc6, 0, 1, 0, 0] // bin 32 of 65,536 bytes

const node = await createLibp2p({
  addresses: { listen: [] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { ping: ping(), identify: identify() }
})
await node.start()
const address = multiaddr(process.argv[2])
const connection = await node.dial(address)

async function echo (protocol, frames) {
  const stream = await connection.newStream(protocol)
  let received = 0
  const reading = (async () => {
    for await (const chunk of stream) {
      received += chunk.byteLength
      if (received >= frames * (FRAME_SIZE + HEADER.length)) break
    }
  })()
  const frame = new Uint8Array(FRAME_SIZE + HEADER.length)
  frame.set(HEADER)
  for (let sent = 0; sent < frames; sent++) {
    if (!stream.send(frame)) {
      await new Promise(resolve => stream.addEventListener('drain', resolve, { once: true }))
    }
  }
  await reading
  await stream.close()
  return received
}

async function refusal (protocol) {
  try {
    await connection.newStream(protocol)
    return null
  } catch (error) {
    return error.name
  }
}

const asked = Promise.withResolvers()
await node.handle('/test/hello/1', async stream => {
  stream.send(new Uint8Array([0xc4, 2, 104, 105]))
  await stream.close()
  asked.resolve(true)
})

const seen = {
  ping: await node.services.ping.ping(address),
  identity: (await node.services.identify.identify(connection)).protocols,
  echoed: await echo('/test/echo/1', 256),
  refused: await refusal('/test/none/1')
}
await connection.newStream('/test/call-back/1')
seen.called = await asked.promise
console.log(JSON.stringify(seen))
await new Promise(resolve => setTimeout(resolve, 200))
await node.stop()
