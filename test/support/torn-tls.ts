/**
 * A process that makes connections and tears them down at any moment, from either end or in the
 * middle, while they are made and after: whatever is freed too early ends it. Prints how many came
 * to stand.
 */
import { type Socket, connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { type Libp2p, createLibp2p } from "libp2p";
import { seededRandom } from "../../src/base/random.ts";
import { socketTls } from "../../src/peers/connection/tls.ts";

const random = seededRandom(process.argv[2] ?? "1");
const count = Number(process.argv[3] ?? 200);
const atOnce = 8;
/** Most of a handshake's moments lie within a few ms, and some far behind. */
const sometime = () => random.unit() ** 3 * 80;

function openNode(): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] }, transports: [tcp()],
    connectionEncrypters: [socketTls()], streamMuxers: [yamux()],
    connectionManager: { inboundConnectionThreshold: Infinity, maxIncomingPendingConnections: 100 },
    connectionMonitor: { enabled: false },
  });
}

/** A line between both that is cut, reset, or carries what nobody sent. */
async function openLine(port: number): Promise<number> {
  const line = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    const both: readonly Socket[] = [near, far];
    for (const socket of both) socket.on("error", () => undefined);
    near.on("data", (bytes) => void far.write(bytes)).on("close", () => far.destroy());
    far.on("data", (bytes) => void near.write(bytes)).on("close", () => near.destroy());
    const one = both[random.below(2)] as Socket;
    const ends = [
      () => one.destroy(), () => one.resetAndDestroy(), () => void one.end(),
      () => void (one.destroyed || one.write(random.bytes(300))),
    ];
    setTimeout(() => ends[random.below(ends.length)]?.(), sometime());
  });
  await new Promise<void>((resolve) => line.listen(0, "127.0.0.1", resolve));
  return (line.address() as AddressInfo).port;
}

const [asker, holder] = [await openNode(), await openNode()];
const straight = holder.getMultiaddrs()[0] as Multiaddr;
const port = Number(/tcp\/(\d+)/.exec(String(straight))?.[1]);
const through = multiaddr(String(straight).replace(`tcp/${port}`, `tcp/${await openLine(port)}`));

/** The one who made it, or the other, ends it by and by: politely, or not. */
async function tear(): Promise<void> {
  await delay(sometime());
  const [node] = random.below(2) === 0 ? [asker] : [holder];
  for (const connection of node?.getConnections() ?? []) {
    if (random.below(2) === 0) connection.abort(new Error("torn"));
    else void connection.close().catch(() => undefined);
  }
}

let stood = 0;
let left = count;
await Promise.all(Array.from({ length: atOnce }, async () => {
  while (left-- > 0) {
    const signal = AbortSignal.timeout(random.below(4) === 0 ? Math.ceil(sometime()) : 5_000);
    const to = random.below(3) === 0 ? straight : through;
    const tearing = tear();
    await asker.dial(to, { signal, force: true }).then(() => void stood++, () => undefined);
    await tearing;
  }
}));
process.stdout.write(`${stood}\n`);
process.exit(0);
