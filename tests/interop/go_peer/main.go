// A go-libp2p peer for the tests: `go_peer dial ADDRESS`, or `go_peer listen`.
//
// It prints one line of JSON when it is ready and one when it has tried everything. Its streams
// carry bytes; what Placet's side makes of them is in ../conversation.py. The host is put together
// by hand: the default one brings QUIC and WebRTC, which take minutes to compile.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/host/blank"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"
)

const (
	frameSize  = 65536
	frames     = 1024
	slowFrames = 32
	slowness   = time.Second
	patience   = 2 * time.Minute
)

var frameHeader = []byte{0xc6, 0, 1, 0, 0} // MessagePack's bin 32 of 65,536 bytes

type echoed struct {
	Size int64 `json:"size"`
	Same bool  `json:"same"`
}

type seen struct {
	Ping      bool          `json:"ping"`
	Identity  []protocol.ID `json:"identity"`
	Refused   bool          `json:"refused"`
	Echo      echoed        `json:"echo"`
	Slow      int64         `json:"slow"`
	WasReset  bool          `json:"wasReset"`
	Greeted   bool          `json:"greeted"`
	PingAtEnd bool          `json:"pingAtEnd"`
}

// trial is one connection, and what the peer needs to try things on it.
type trial struct {
	ctx      context.Context
	host     host.Host
	identity interface{ IdentifyConn(network.Conn) }
	conn     network.Conn
	greeted  chan struct{}
}

func main() {
	log.SetFlags(0)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	mode := os.Args[1]
	node := newHost(mode == "listen")
	identity := must(identify.NewIDService(node))
	identity.Start()
	ping.NewPingService(node)
	greeted := make(chan struct{}, 1)
	serve(node, greeted)

	connected := make(chan network.Conn, 1)
	node.Network().Notify(&network.NotifyBundle{
		ConnectedF: func(_ network.Network, conn network.Conn) { connected <- conn },
	})
	say(map[string]any{"key": publicKey(node), "addresses": node.Network().ListenAddresses()})
	if mode == "dial" {
		check(node.Connect(ctx, *must(peer.AddrInfoFromString(os.Args[2]))))
	}
	select {
	case conn := <-connected:
		say(trial{ctx, node, identity, conn, greeted}.everything())
	case <-ctx.Done():
		log.Fatal("nobody connected")
	}
	// The other side ends the connection when it has tried everything, too.
	io.Copy(io.Discard, os.Stdin)
}

func newHost(listens bool) host.Host {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	check(err)
	id := must(peer.IDFromPrivateKey(key))
	peers := must(pstoremem.NewPeerstore())
	check(peers.AddPrivKey(id, key))
	check(peers.AddPubKey(id, key.GetPublic()))
	events := eventbus.NewBus()
	network := must(swarm.NewSwarm(id, peers, events))
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	secure := must(noise.New(noise.ID, key, muxers))
	upgrade := must(upgrader.New([]sec.SecureTransport{secure}, muxers, nil, nil, nil))
	check(network.AddTransport(must(tcp.NewTCPTransport(upgrade, nil, nil))))
	if listens {
		check(network.Listen(multiaddr.StringCast("/ip4/127.0.0.1/tcp/0")))
	}
	return blankhost.NewBlankHost(network, blankhost.WithEventBus(event.Bus(events)))
}

// What the peer serves.

func serve(node host.Host, greeted chan<- struct{}) {
	node.SetStreamHandler("/test/hello/1", func(stream network.Stream) {
		stream.Write([]byte{0xc4, 2, 'h', 'i'})
		stream.Close()
		greeted <- struct{}{}
	})
	node.SetStreamHandler("/test/echo/1", func(stream network.Stream) {
		io.Copy(stream, stream)
		stream.Close()
	})
	node.SetStreamHandler("/test/slow/1", func(stream network.Stream) {
		time.Sleep(slowness)
		size, _ := io.Copy(io.Discard, stream)
		stream.Write(binary.BigEndian.AppendUint64([]byte{0xc4, 8}, uint64(size)))
		stream.Close()
	})
	node.SetStreamHandler("/test/reset/1", func(stream network.Stream) {
		stream.Read(make([]byte, 1))
		stream.Reset()
	})
}

// What the peer tries.

func (t trial) everything() seen {
	result := seen{Ping: t.ping(), Identity: t.identify(), Refused: t.isRefused()}
	result.Echo = t.echo()
	result.Slow = t.slow()
	result.WasReset = t.isReset()
	t.reset()
	t.open("/test/call-back/1")
	select {
	case <-t.greeted:
		result.Greeted = true
	case <-t.ctx.Done():
	}
	result.PingAtEnd = t.ping()
	return result
}

func (t trial) ping() bool {
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	return (<-ping.Ping(ctx, t.host, t.conn.RemotePeer())).Error == nil
}

func (t trial) identify() []protocol.ID {
	t.identity.IdentifyConn(t.conn)
	return must(t.host.Peerstore().GetProtocols(t.conn.RemotePeer()))
}

func (t trial) isRefused() bool {
	_, err := t.host.NewStream(t.ctx, t.conn.RemotePeer(), "/test/none/1")
	return errors.As(err, &multistream.ErrNotSupported[protocol.ID]{})
}

func (t trial) echo() echoed {
	stream := t.open("/test/echo/1")
	sent := sha256.New()
	go sendFrames(io.MultiWriter(sent, stream), frames, stream.CloseWrite)
	received := sha256.New()
	size := must(io.Copy(received, stream))
	return echoed{size, bytes.Equal(sent.Sum(nil), received.Sum(nil))}
}

func (t trial) slow() int64 {
	stream := t.open("/test/slow/1")
	go sendFrames(stream, slowFrames, stream.CloseWrite)
	return must(io.Copy(io.Discard, stream))
}

func (t trial) isReset() bool {
	stream := t.open("/test/reset/1")
	stream.Write(frame(0))
	_, err := io.Copy(io.Discard, stream)
	return errors.Is(err, network.ErrReset)
}

func (t trial) reset() {
	stream := t.open("/test/await-reset/1")
	stream.Write([]byte{0xc4, 2, 'h', 'i'})
	time.Sleep(100 * time.Millisecond)
	stream.Reset()
}

func (t trial) open(name protocol.ID) network.Stream {
	return must(t.host.NewStream(t.ctx, t.conn.RemotePeer(), name))
}

func sendFrames(to io.Writer, count int, finish func() error) {
	for number := range count {
		if _, err := to.Write(frame(number)); err != nil {
			log.Fatal(err)
		}
	}
	check(finish())
}

func frame(number int) []byte {
	return append(bytes.Clone(frameHeader), bytes.Repeat([]byte{byte(number)}, frameSize)...)
}

func publicKey(node host.Host) string {
	raw := must(must(node.ID().ExtractPublicKey()).Raw())
	return hex.EncodeToString(raw)
}

func say(value any) { check(json.NewEncoder(os.Stdout).Encode(value)) }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}
