/** TLS on the socket itself: libp2p's own TLS understands it, and nobody gets in without a name. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type Socket, connect as connectSocket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ConnectionEncrypter, Libp2p, Stream } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { tcp } from "@libp2p/tcp";
import { type TLSComponents, tls as streamTls } from "@libp2p/tls";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { test } from "tap";
import { MiB } from "../../src/base/bytes.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { socketTls } from "../../src/peers/connection/tls.ts";

type Encrypter = (components: TLSComponents) => ConnectionEncrypter;
type Node = Libp2p & AsyncDisposable;

const seed = process.env["HIVE_SEED"] ?? "1";
const echo = "/test/echo/1.0.0";
const listen = ["/ip4/127.0.0.1/tcp/0"];

async function openNode(encrypter: Encrypter): Promise<Node> {
  const node = await createLibp2p({
    addresses: { listen }, transports: [tcp()], connectionEncrypters: [encrypter],
    streamMuxers: [yamux()],
  });
  await node.handle(echo, (stream) => {
    stream.addEventListener("message", ({ data }) => void stream.send(data));
  });
  return Object.assign(node, { [Symbol.asyncDispose]: async () => { await node.stop(); } });
}

/** All at once, and as much of it as comes back. */
function echoed(stream: Stream, bytes: Uint8Array): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let left = bytes.length;
  return new Promise((resolve, reject) => {
    stream.addEventListener("message", ({ data }) => {
      for (const part of data instanceof Uint8Array ? [data] : data) parts.push(part);
      left -= data.byteLength;
      if (left <= 0) resolve(Buffer.concat(parts));
    });
    stream.addEventListener("close", ({ error }) => reject(error));
    stream.send(bytes);
  });
}

for (const [name, ours, theirs] of [
  ["ours dials ours", socketTls(), socketTls()],
  ["ours dials libp2p's", socketTls(), streamTls()],
  ["libp2p's dials ours", streamTls(), socketTls()],
] as const) {
  test(`${name}: both know each other, and 3 MiB come back as they went`, async (t) => {
    await using asker = await openNode(ours);
    await using holder = await openNode(theirs);
    const address = holder.getMultiaddrs()[0];
    if (address === undefined) throw new Error("no address");
    const stream = await asker.dialProtocol(address, echo);
    const seen = holder.getConnections().map(({ remotePeer }) => String(remotePeer));
    t.strictSame(seen, [String(asker.peerId)]);
    t.equal(asker.getConnections()[0]?.multiplexer, "/yamux/1.0.0");
    const bytes = Buffer.alloc(3 * MiB, seededRandom(name).bytes(4_099));
    t.ok(bytes.equals(await echoed(stream, bytes)), `seed ${name}`);
  });
}

test("whoever answers under another's name is refused", async (t) => {
  await using asker = await openNode(socketTls());
  await using holder = await openNode(socketTls());
  const stranger = peerIdFromString(peerKeysOf(sha256(Buffer.from("stranger"))).peer);
  const [address] = holder.getMultiaddrs();
  const base = String(address).replace(/\/p2p\/.*$/, "");
  await t.rejects(asker.dial(multiaddr(`${base}/p2p/${stranger}`)));
  t.strictSame(asker.getConnections(), []);
});

/** A socket that has agreed on TLS with this node, and has not begun it. */
async function agreed(node: Node): Promise<Socket> {
  const port = Number(/tcp\/(\d+)/.exec(String(node.getMultiaddrs()[0]))?.[1]);
  const socket = connectSocket(port, "127.0.0.1");
  const word = (text: string) => Buffer.from(`${String.fromCharCode(text.length + 1)}${text}\n`);
  socket.write(Buffer.concat([word("/multistream/1.0.0"), word("/tls/1.0.0")]));
  let answered = "";
  while (!answered.includes("/tls/1.0.0\n")) {
    const [bytes] = await once(socket, "data") as [Buffer];
    answered += bytes.toString("latin1");
  }
  return socket;
}

function closed(socket: Socket): Promise<void> {
  socket.on("error", () => undefined);
  socket.resume();
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

test("whoever shows no certificate, or speaks no TLS, is hung up on", async (t) => {
  await using node = await openNode(socketTls());
  const silent = connectTls({ socket: await agreed(node), rejectUnauthorized: false });
  await closed(silent);
  const babbling = await agreed(node);
  babbling.write(Buffer.alloc(4096, "no TLS at all "));
  await closed(babbling);
  t.strictSame(node.getConnections(), []);
});

test("whoever connects costs no new certificate", async (t) => {
  await using node = await openNode(socketTls());
  const shown = new Set<string>();
  for (let visit = 0; visit < 3; visit++) {
    const visitor = connectTls({ socket: await agreed(node), rejectUnauthorized: false });
    await once(visitor, "secureConnect");
    shown.add(visitor.getPeerCertificate().fingerprint256);
    await closed(visitor);
  }
  t.equal(shown.size, 1);
});

test("a connection that is closed on one side is gone on both", async (t) => {
  await using asker = await openNode(socketTls());
  await using holder = await openNode(socketTls());
  const met = once(holder as never, "connection:open");
  const connection = await asker.dial(holder.getMultiaddrs());
  await met;
  const gone = once(holder as never, "connection:close");
  await connection.close();
  await gone;
  t.strictSame([asker.getConnections(), holder.getConnections()], [[], []]);
});

test("a process lives on, whenever its connections are torn down", async (t) => {
  const file = new URL("../support/torn-tls.ts", import.meta.url).pathname;
  const stdio = ["ignore", "pipe", "inherit"] as const;
  const child = spawn(process.execPath, [file, seed, "300"], { stdio: [...stdio] });
  let told = "";
  child.stdout.on("data", (bytes: Buffer) => (told += bytes.toString()));
  const [code, signal] = await once(child, "exit") as [number | null, string | null];
  t.strictSame([code, signal], [0, null], `replay: HIVE_SEED=${seed}`);
  t.ok(Number(told) > 10, `${told} of 300 came to stand`);
});
