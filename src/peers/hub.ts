/**
 * One node's parts put together: the libp2p node, the address book, a link to each peer that is
 * asked, the door for those who come, and the DHT. See peers.ts for the face, open.ts for the
 * beginning.
 */
import type { Connection, PeerId as Libp2pPeerId } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { HiveError, isFault } from "../base/errors.ts";
import { type OwnerId, type PeerId, parsePeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { describe } from "../base/log.ts";
import type { CallOptions, KnownPeer } from "../base/network.ts";
import type { Head, Manifest, Offer } from "../base/records.ts";
import type { PeerKeys } from "../crypt/ciphers/peer-key.ts";
import { parseOffer } from "../crypt/records/records.ts";
import { Beginning } from "./acquaintance/beginning.ts";
import { Book } from "./acquaintance/book.ts";
import { Exchange } from "./acquaintance/exchange.ts";
import { OwnOffer, isFull } from "./acquaintance/own-offer.ts";
import { Presence } from "./acquaintance/presence.ts";
import { Ranging } from "./acquaintance/range.ts";
import type { Door } from "./answering/door.ts";
import type { Stranger } from "./answering/strangers.ts";
import { Answers } from "./answers.ts";
import { ShardCalls, believed } from "./asking/calls.ts";
import { Link, shardProtocol } from "./asking/link.ts";
import { Links } from "./asking/links.ts";
import type { Meter } from "./asking/pipe.ts";
import { publishRecord, resolveHead, resolveManifest } from "./dht/dht.ts";
import type { SearchOptions } from "./dht/dht.ts";
import type { Ipfs } from "./ipfs.ts";
import type { Node } from "./libp2p/node.ts";
import type { ConnectOptions, Peers, PeersNeeds, PeersOptions } from "./peers.ts";
import { type Pass, isPass, isPlainAddress, passOf } from "./wire/invite.ts";
import { type Request, encodeHello, parseList } from "./wire/message.ts";

/** What open.ts has made before there is a hub. */
interface Own {
  readonly keys: PeerKeys;
  readonly node: Node;
  readonly door: Door;
  readonly meter: Meter;
}

export class Hub extends ShardCalls implements Peers {
  readonly self: PeerId;
  readonly step: Exchange;
  readonly ranging: Ranging;
  readonly #needs: PeersNeeds;
  readonly #keys: PeerKeys;
  readonly #node: Node;
  readonly #book: Book;
  readonly #answers: Answers;
  readonly #links: Links;
  /** Invites by which we came to those we are connected with. */
  readonly #passes = new Map<PeerId, Pass>();
  readonly #door: Door;
  readonly #presence: Presence;
  readonly #beginning: Beginning;
  readonly #meter: Meter;
  readonly #ownOffer: OwnOffer;
  readonly #closing = new AbortController();
  #discovering = 0;
  #ipfs: Promise<Ipfs> | undefined;

  constructor(needs: PeersNeeds, options: PeersOptions, own: Own) {
    super();
    this.#needs = needs;
    this.#keys = own.keys;
    this.#node = own.node;
    this.#door = own.door;
    this.#meter = own.meter;
    this.self = own.keys.peer;
    this.#book = new Book(needs, { self: this.self });
    this.#links = new Links({
      make: (peer) => this.#newLink(peer),
      isConnected: (peer) => this.#node.getConnections(peerIdFromString(peer)).length > 0,
    });
    const shared = { ...needs, ...own, meter: this.#meter };
    this.ranging = new Ranging({ ...shared, places: needs.places, world: needs.world }, options);
    const ownOffer = new OwnOffer({ ...shared, addresses: () => this.addresses() }, options);
    this.#ownOffer = ownOffer;
    const told = { ...needs, book: this.#book, offer: () => ownOffer.now() };
    this.#answers = new Answers({
      ...told, isPass: (pass) => isPass(own.keys.privateKeyRaw, pass, needs.clock.now()),
    });
    const presence = new Presence({ ...told, node: own.node });
    this.#presence = presence;
    const connections = () => this.#node.getConnections().length;
    this.#beginning = new Beginning({
      clock: needs.clock, connections,
      connect: (address) => this.#tryOut(() => this.connect(address)),
    }, options.bootstrap);
    this.step = new Exchange({
      log: needs.log,
      begin: () => this.#beginning.step(),
      book: this.#book,
      presence,
      linkTo: (peer) => this.link(peer),
      connections,
      renewOffer: () => void ownOffer.now(),
      drop: (peer) => this.#drop(peer),
    });
  }

  async start(): Promise<void> {
    await this.#book.load();
    await this.#node.handle(shardProtocol, (stream, from) => this.#door.serve(stream, from), {
      maxInboundStreams: limits.peers.lanesMax,
      maxOutboundStreams: limits.peers.lanesMax,
      runOnLimitedConnection: true,
    });
    await this.ranging.start();
    this.#node.addEventListener("connection:open", (event) => this.#opened(event.detail));
    this.#node.addEventListener("peer:discovery", (event) => this.#discovered(event.detail.id));
    this.#node.addEventListener("peer:disconnect", (event) => {
      const peer = parsePeerId(event.detail.toString());
      this.#answers.forget(peer);
      this.#book.lost(peer);
      this.#links.forget(peer);
      this.#passes.delete(peer);
    });
    this.#beginning.step();
  }

  offer(): Offer {
    return this.#ownOffer.now();
  }

  addresses(): readonly string[] {
    return this.#node.getMultiaddrs().map((address) => address.toString());
  }

  peers(): readonly KnownPeer[] {
    const known = this.#book.peers();
    return this.#needs.places?.observe(known) ?? known;
  }

  connections(): readonly Connection[] {
    return this.#node.getConnections();
  }

  isFriend(peer: PeerId): boolean {
    return this.#book.isFriend(peer);
  }

  answer(stranger: Stranger, request: Request, payload: Uint8Array): Promise<Uint8Array> {
    return this.#answers.answer(stranger, request, payload);
  }

  onPeersChanged(listener: () => void): Disposable {
    return this.#book.onChange(listener);
  }

  stats(): Readonly<Meter> {
    return { ...this.#meter };
  }

  pass(expiresAtMs: number): Pass {
    return passOf(this.#keys.privateKeyRaw, expiresAtMs);
  }

  async connect(address: string, options: ConnectOptions = {}): Promise<PeerId> {
    const connection = await this.#dial([address], options.signal);
    const peer = parsePeerId(connection.remotePeer.toString());
    if (options.pass !== undefined) this.#passes.set(peer, options.pass);
    if (options.friend === true) await this.#book.befriend(peer);
    await this.link(peer).greet(options.signal);
    await this.step.askOffers(peer, options.signal);
    return peer;
  }

  settle(to: PeerId, message: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    return this.link(to).call({ op: "settle" }, message, options);
  }

  publish(record: Head | Manifest, options: CallOptions = {}): Promise<void> {
    return publishRecord(this.#node, record, options.signal);
  }

  resolveHead(owner: OwnerId, options: CallOptions = {}): Promise<Head | undefined> {
    return resolveHead(this.#node, owner, options.signal);
  }

  resolveManifest(
    owner: OwnerId,
    group: string,
    options: CallOptions = {},
  ): Promise<Manifest | undefined> {
    return resolveManifest(this.#node, owner, group, options.signal);
  }

  async seek(options: SearchOptions): Promise<number> {
    return this.#presence.seek(options);
  }

  ipfs(): Promise<Ipfs> {
    // Helia is large: a node that nobody asks for public files does not load it.
    this.#ipfs ??= import("./ipfs.ts").then(({ openIpfs }) => openIpfs({
      node: this.#node,
      books: this.#needs.books,
      blocks: this.#needs.blocks,
      fetcher: this.#needs.fetcher,
    }));
    return this.#ipfs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new HiveError("Unavailable", "peers.close", "closing"));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => this.#node.stop());
    stack.defer(async () => {
      while (await this.#book.flush({ isEnd: true }));
    });
    for (const link of this.#links.all()) stack.defer(() => link.close());
    // Had it failed to open, whoever asked for it was told.
    const ipfs = await this.#ipfs?.catch(() => undefined);
    if (ipfs !== undefined) stack.use(ipfs);
  }

  protected link(peer: PeerId): Link {
    return this.#links.of(peer);
  }

  #newLink(peer: PeerId): Link {
    return new Link({
      clock: this.#needs.clock,
      meter: this.#meter,
      connect: (signal) => this.#connection(peer, signal),
      greeting: () => this.#greeting(this.#passes.get(peer)),
      onGreeted: (answer) => this.#greeted(peer, answer),
      onRoundTrip: (ms) => this.#book.answered(peer, ms),
    });
  }

  async #connection(peer: PeerId, signal: AbortSignal | undefined): Promise<Connection> {
    const open = this.#node.getConnections(peerIdFromString(peer));
    // A straight way before a relayed one, which is narrow and ends soon.
    const usable = open.filter((one) => one.status === "open");
    const connection = usable.find((one) => one.limits === undefined) ?? usable[0];
    if (connection !== undefined) return connection;
    const offer = this.#book.offerOf(peer) ?? await this.#presence.find(peer, signal);
    if (offer === undefined) throw new HiveError("Unavailable", "peers.dial", peer);
    const addresses = offer.addresses.filter(isPlainAddress);
    return this.#dial(addresses.map((address) => `${address}/p2p/${peer}`), signal);
  }

  async #dial(
    target: Libp2pPeerId | readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Connection> {
    const closing = this.#closing.signal;
    try {
      const where = "type" in target ? target : target.map((address) => multiaddr(address));
      const signals = signal === undefined ? closing : AbortSignal.any([signal, closing]);
      return await this.#node.dial(where, { signal: signals });
    } catch (cause) {
      signal?.throwIfAborted();
      throw new HiveError("Unavailable", "peers.dial", String(target), { cause });
    }
  }

  /** Whoever dialled greets, and so both know each other's offers. */
  #opened(connection: Connection): void {
    const peer = parsePeerId(connection.remotePeer.toString());
    this.#book.met(peer);
    this.ranging.opened(peer, connection);
    if (connection.direction === "inbound") return;
    void this.#tryOut(() => this.link(peer).greet(this.#closing.signal));
  }

  /** A neighbour that mDNS or the DHT tells of is dialled while we have few, a few at a time. */
  #discovered(id: Libp2pPeerId): void {
    const few = this.#node.getConnections().length < limits.peers.neighboursWanted;
    const known = this.#node.getConnections(id).length > 0;
    if (!few || known || this.#discovering >= limits.peers.dialsPerStep) return;
    this.#discovering++;
    void this.#tryOut(() => this.#dial(id, undefined)).finally(() => this.#discovering--);
  }

  #greeting(pass: Pass | undefined) {
    const certificates = this.#needs.certificates().slice(0, limits.peers.certificatesMax);
    const said = certificates.map((one) => `${one.owner}/${one.issuedAtMs}`);
    const offer = this.#ownOffer.now();
    // Whoever has no room any more, or has some again, says so before it is due.
    const room = [offer.quotaBytes, isFull(offer)];
    const version = [...said, pass?.expiresAtMs ?? "", ...room].join(" ");
    const bytes = certificates.map((certificate) => certificate.bytes);
    return { version, payload: encodeHello(bytes, offer.bytes, pass) };
  }

  #greeted(peer: PeerId, answer: Uint8Array): void {
    believed("hello", () => {
      for (const bytes of parseList(answer, 1)) {
        const offer = parseOffer(bytes);
        if (offer.peer !== peer) throw new HiveError("Corrupt", "peers.hello", "another's offer");
        this.#book.accept(offer);
      }
      this.#book.met(peer);
    });
  }

  #drop(peer: PeerId): void {
    const reason = new HiveError("TimedOut", "peers.drop", peer);
    for (const one of this.#node.getConnections(peerIdFromString(peer))) one.abort(reason);
  }

  async #tryOut(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#needs.log.debug("peer.unreachable", { fault: describe(error) });
    }
  }
}
