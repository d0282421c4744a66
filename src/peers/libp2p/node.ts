/**
 * The libp2p node: TCP, an encrypted and multiplexed connection, identify, ping, and our own
 * Kademlia DHT. It knows no public bootstrap and dials nobody but whom it is told or has learnt of.
 */
import { identify } from "@libp2p/identify";
import type { ConnectionGater, Libp2p, PrivateKey, StreamHandler } from "@libp2p/interface";
import { type KadDHT, type KadDHTComponents, type SelectFn, type ValidateFn }
  from "@libp2p/kad-dht";
import { kadDHT, passthroughMapper } from "@libp2p/kad-dht";
import { type Ping, type PingComponents, ping } from "@libp2p/ping";
import { preSharedKey } from "@libp2p/pnet";
import { tcp } from "@libp2p/tcp";
import { type Libp2pOptions, createLibp2p } from "libp2p";
import { HiveError } from "../../base/errors.ts";
import { type PeerId, parsePeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { muxer } from "../connection/muxer.ts";
import { socketTls } from "../connection/tls.ts";
import { type Asker, boundAnswers } from "./hearsay.ts";
import { type Reach, isToldPublic, reachServices } from "./reach.ts";
import { relayTransport, relayedAddress } from "./reach.ts";
import type { SearchNeeds } from "./relay-search.ts";
import { type RoutingTable, farPrefixOf, keepDiverse } from "./table.ts";

export interface NodeServices extends Record<string, unknown> {
  readonly dht: KadDHT;
  readonly ping: Ping;
}
export type Node = Libp2p<NodeServices>;

/** Whom the node lets in; see door.ts. */
export interface Doorkeeper {
  knocks(address: string): boolean;
  enters(peer: PeerId, address: string): boolean;
}

export interface NodeOptions {
  readonly privateKey: PrivateKey;
  readonly listen: readonly string[];
  readonly mdns: boolean;
  readonly encryption: "noise" | "tls";
  /** What libp2p remembers of others' addresses. */
  readonly datastore: Datastore;
  readonly dht: DhtOptions;
  readonly door?: Doorkeeper;
  /** In a made-up world alone: the local address that it dials from. */
  readonly dialsFrom?: string | undefined;
  /** How it is reached from behind a router; not at all when absent. */
  readonly reach?: Reach;
  /** Of a private network: without the same no peer gets as far as a handshake. */
  readonly networkKey?: Uint8Array;
}

type Registrar = KadDHTComponents["registrar"];
type Datastore = NonNullable<Libp2pOptions["datastore"]>;

export interface DhtOptions {
  readonly records: Datastore;
  readonly validate: ValidateFn;
  readonly select: SelectFn;
  /** Answers a stream that asks, in its own way; the rest is the DHT's. */
  readonly guard?: (answer: StreamHandler) => StreamHandler;
  /** Which part of the internet an address is of; in a made-up world another one. */
  readonly prefixOf?: (address: string) => string | undefined;
}

export async function openNode(needs: SearchNeeds, options: NodeOptions): Promise<Node> {
  const { peers } = limits;
  const { reach } = options;
  const isRelayed = reach?.relayed === true;
  const publicOnes = options.listen.filter(isToldPublic);
  // Whoever can be reached straight needs no relay.
  const isHidden = isRelayed && publicOnes.length === 0;
  const { prefixOf = farPrefixOf } = options.dht;
  const more = reach === undefined || !isRelayed ? {} : await reachServices(reach, prefixOf);
  return createLibp2p<NodeServices>({
    privateKey: options.privateKey,
    datastore: options.datastore,
    nodeInfo: { name: "hive", version: "1", userAgent: "hive/1" },
    addresses: {
      listen: [...options.listen, ...(isHidden ? [relayedAddress] : [])],
      appendAnnounce: publicOnes,
    },
    transports: [tcp(dialling(options.dialsFrom)), ...(isRelayed ? [relayTransport(needs)] : [])],
    connectionEncrypters: [await encrypterOf(options.encryption)],
    ...protectorOf(options.networkKey),
    streamMuxers: [muxer({
      clock: needs.clock, streamsMax, openings: peers.openings, untakenMax: peers.untakenMax,
      windowBytesMax: peers.windowBytesMax, growthBytesMax: peers.growthBytesMax,
      frameBytesMax: peers.sliceBytes,
    })],
    connectionManager: {
      maxConnections: peers.connectionsMax,
      maxParallelDials: peers.dialsMax,
      dialTimeout: peers.dialTimeoutMs,
      addressDialTimeout: peers.dialTimeoutMs,
      inboundUpgradeTimeout: peers.dialTimeoutMs,
      inboundConnectionThreshold: peers.connectsPerSecondMax,
      maxIncomingPendingConnections: peers.pendingMax,
      // Who is tried again and when is the address book's to say.
      reconnectRetries: 0,
    },
    ...(options.door === undefined ? {} : { connectionGater: gaterOf(options.door) }),
    // It would open a stream per connection every ten seconds.
    connectionMonitor: { enabled: false },
    services: {
      identify: identify({ protocolPrefix: "hive" }),
      ping: pingOf,
      dht: dhtOf(options.dht),
      ...(options.mdns ? { lan: (await import("./lan.ts")).lan(needs) } : {}),
      ...more,
    },
  });
}

/** All that it is given goes to net.connect, more than its types tell. */
function dialling(localAddress: string | undefined): NonNullable<Parameters<typeof tcp>[0]> {
  const dialOpts = { noDelay: true, localAddress };
  return localAddress === undefined ? {} : { dialOpts };
}

async function encrypterOf(encryption: NodeOptions["encryption"]) {
  return encryption === "tls" ? socketTls() : (await import("@libp2p/noise")).noise();
}

/** In the words of a swarm.key file, which is what libp2p takes. */
function protectorOf(key: Uint8Array | undefined) {
  if (key === undefined) return {};
  const text = `/key/swarm/psk/1.0.0/\n/base16/\n${Buffer.from(key).toString("hex")}`;
  const psk = Buffer.from(text);
  return { connectionProtector: preSharedKey({ psk, timeout: limits.peers.dialTimeoutMs }) };
}

function gaterOf(door: Doorkeeper): ConnectionGater {
  return {
    // Others may say where they are; whom we dial there has to prove his key.
    denyDialMultiaddr: () => false,
    denyInboundConnection: ({ remoteAddr }) => !door.knocks(remoteAddr.toString()),
    denyInboundUpgradedConnection: (peer, { remoteAddr }) =>
      !door.enters(parsePeerId(peer.toString()), remoteAddr.toString()),
  };
}

function dhtOf(options: DhtOptions): (components: KadDHTComponents) => KadDHT {
  const make = kadDHT({
    protocol: "/hive/kad/1.0.0",
    logPrefix: "libp2p:hive-dht",
    clientMode: false,
    // Queries wait for it, so that they start from a filled table.
    initialQuerySelfInterval: 0,
    // Loopback and home networks are where most peers live.
    peerInfoMapper: passthroughMapper,
    disjointPaths: limits.dht.disjointPaths,
    networkDialTimeout: { minTimeout: limits.dht.answerMsMin, maxTimeout: limits.dht.answerMsMax },
    maxInboundStreams: limits.dht.streamsMax,
    incomingMessageTimeout: limits.peers.dialTimeoutMs,
    validators: { hive: options.validate },
    selectors: { hive: options.select },
  });
  return (components) => {
    const dht = make(withParts(components, {
      datastore: options.records,
      registrar: guarded(components.registrar, options.guard),
    }));
    const { network, routingTable, rpc } = dht as KadDHT & DhtInside;
    boundAnswers(network);
    // Nobody of ours provides anything so, and all addresses that somebody sends would be kept.
    for (const type of providing) Reflect.deleteProperty(rpc.handlers, type);
    const { prefixOf = farPrefixOf } = options;
    keepDiverse(routingTable, (peer) => {
      const [connection] = components.connectionManager.getConnections(peer);
      return connection === undefined ? undefined : prefixOf(connection.remoteAddr.toString());
    });
    return dht;
  };
}

function pingOf(components: PingComponents): Ping {
  const registrar = guarded(components.registrar, briefly);
  return ping({ protocolPrefix: "hive" })(withParts(components, { registrar }));
}

/**
 * libp2p answers a ping with the very bytes, and until they are taken it keeps all that comes: a
 * peer who sends on and takes nothing would have it keep ten seconds of his line.
 */
function briefly(answer: StreamHandler): StreamHandler {
  return (stream, connection) => {
    let leftBytes: number = limits.peers.pingBytesMax;
    const answered = answer(stream, connection);
    stream.addEventListener("message", ({ data }) => {
      leftBytes -= data.byteLength;
      if (leftBytes < 0) stream.abort(new HiveError("Busy", "peers.ping", "more than a ping"));
    });
    return answered;
  };
}

/** The same parts but these: the DHT keeps its records apart from what libp2p remembers. */
function withParts<T extends object>(components: T, parts: Partial<T>): T {
  return new Proxy(components, {
    get: (target, name) => Reflect.get(Object.hasOwn(parts, name) ? parts : target, name),
  });
}

// Not libp2p's own middleware: in 3.3 each stream leaves its handler behind in the list, and every
// later stream is handled once more.
function guarded(
  registrar: Registrar, guard: (answer: StreamHandler) => StreamHandler = (answer) => answer,
): Registrar {
  const handle: Registrar["handle"] = (protocol, answer, options) =>
    registrar.handle(protocol, guard(answer), options);
  return new Proxy(registrar, {
    get: (target, name) => {
      const part: unknown = name === "handle" ? handle : Reflect.get(target, name);
      return typeof part === "function" ? part.bind(target) : part;
    },
  });
}

/** What is public of libp2p's DHT, and missing in its type. */
interface DhtInside {
  readonly network: Asker;
  readonly routingTable: RoutingTable;
  readonly rpc: { readonly handlers: Readonly<Record<string, object>> };
}

const providing = ["ADD_PROVIDER", "GET_PROVIDERS"] as const;

/** Our lanes, the DHT's queries, identify and pings of one connection. */
const streamsMax = 128;
