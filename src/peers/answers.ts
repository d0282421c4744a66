/**
 * What this node answers: greetings, pings and offers by itself, all else by the ShardHost, which
 * is told who asks. A certificate counts when the drive's key signed it for the very peer whose
 * key the connection proved, and only until it expires.
 */
import type { DeviceHost } from "../base/devices.ts";
import { HiveError, unreachable } from "../base/errors.ts";
import type { GuardHost } from "../base/guard.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Requester } from "../base/network.ts";
import type { DeviceCertificate, Offer } from "../base/records.ts";
import type { ShareHost } from "../base/sharing.ts";
import { parseDeviceCertificate, parseOffer } from "../crypt/records/records.ts";
import type { Book } from "./acquaintance/book.ts";
import type { Stranger } from "./answering/strangers.ts";
import type { PeersNeeds } from "./peers.ts";
import type { Pass } from "./wire/invite.ts";
import { type Request, encodeList, encodeOwnerRecords, parseHello } from "./wire/message.ts";

export interface AnswerNeeds extends Pick<
  PeersNeeds, "clock" | "host" | "ledger" | "guardian" | "sharing" | "devices" | "isRemoved"
> {
  readonly book: Book;
  /** This node's own offer, as it is now. */
  readonly offer: () => Offer;
  /** Whether this node made it and it holds. */
  readonly isPass: (pass: Pass) => boolean;
}

export class Answers {
  readonly #needs: AnswerNeeds;
  readonly #certificates = new Map<PeerId, readonly DeviceCertificate[]>();
  /** Those who have told us of themselves: nobody else is told of others. */
  readonly #introduced = new Set<PeerId>();

  constructor(needs: AnswerNeeds) {
    this.#needs = needs;
  }

  /** The last connection of this peer is gone. */
  forget(peer: PeerId): void {
    this.#certificates.delete(peer);
    this.#introduced.delete(peer);
  }

  async answer(stranger: Stranger, request: Request, payload: Uint8Array): Promise<Uint8Array> {
    const { peer } = stranger;
    switch (request.op) {
      case "hello": return this.#hello(stranger, payload);
      case "ping": return none;
      case "offers": return this.#offers(peer, request.limit);
      case "cancel": return none;
      default: return this.#ask(this.#requester(stranger), request, payload);
    }
  }

  async #ask(
    from: Requester,
    request: Exclude<Request, { op: "hello" | "ping" | "offers" | "cancel" }>,
    payload: Uint8Array,
  ): Promise<Uint8Array> {
    const { host } = this.#needs;
    switch (request.op) {
      case "store": return host.store(from, request, payload);
      case "read": {
        const range = { offsetBytes: request.offset, lengthBytes: request.length };
        return host.read(from, request.shard, range);
      }
      case "prove": return host.prove(from, request);
      case "release": return host.release(from, payload);
      case "putRecord": {
        return host.putRecord(from, request.kind, payload, request.policy).then(nothing);
      }
      case "records": {
        const { head, others, manifests } = await host.records(from, request.owner);
        return encodeOwnerRecords(head, manifests.slice(0, limits.peers.manifestsMax), others);
      }
      case "settle": return this.#settle(from, payload);
      case "segments": return encodeList(await host.segments(from, request.owner, request));
      case "guard": return this.#guardian().guard(from, request.act, payload);
      case "share": return this.#sharing().share(from, request.act, payload);
      case "device": return this.#devices().device(from, request.act, payload);
      default: return unreachable(request);
    }
  }

  #settle(from: Requester, payload: Uint8Array): Promise<Uint8Array> {
    const { ledger } = this.#needs;
    if (ledger === undefined) throw new HiveError("Unsupported", "peers.settle", "no ledger");
    if (payload.length <= limits.ledger.messageBytesMax) return ledger.settle(from, payload);
    throw new HiveError("TooLarge", "peers.settle", `${payload.length} bytes`);
  }

  #guardian(): GuardHost {
    const { guardian } = this.#needs;
    if (guardian !== undefined) return guardian;
    throw new HiveError("Unsupported", "peers.guard", "nobody guards here");
  }

  #sharing(): ShareHost {
    const { sharing } = this.#needs;
    if (sharing !== undefined) return sharing;
    throw new HiveError("Unsupported", "peers.share", "nobody keeps shares here");
  }

  #devices(): DeviceHost {
    const { devices } = this.#needs;
    if (devices !== undefined) return devices;
    throw new HiveError("Unsupported", "peers.device", "nobody asks for devices here");
  }

  async #hello({ peer, prefix }: Stranger, payload: Uint8Array): Promise<Uint8Array> {
    const hello = parseHello(payload);
    const certificates = hello.certificates.map(parseDeviceCertificate);
    for (const certificate of certificates) this.#check(peer, certificate);
    this.#certificates.set(peer, certificates);
    if (hello.offer !== undefined) {
      const offer = parseOffer(hello.offer);
      if (offer.peer !== peer) throw new HiveError("Denied", "peers.hello", "another's offer");
      this.#needs.book.accept(offer, { prefix });
      this.#introduced.add(peer);
    }
    this.#needs.book.met(peer);
    if (hello.pass !== undefined && this.#needs.isPass(hello.pass)) {
      await this.#needs.book.befriend(peer);
    }
    return encodeList([this.#needs.offer().bytes]);
  }

  #check(peer: PeerId, certificate: DeviceCertificate): void {
    const nowMs = this.#needs.clock.now();
    const early = certificate.issuedAtMs > nowMs + limits.peers.offerAheadMsMax;
    if (certificate.peer !== peer) throw new HiveError("Denied", "peers.hello", "another's device");
    if (certificate.expiresAtMs <= nowMs || early) {
      throw new HiveError("Denied", "peers.hello", "certificate out of its time");
    }
  }

  #requester({ peer, prefix }: Stranger): Requester {
    const nowMs = this.#needs.clock.now();
    const valid = (this.#certificates.get(peer) ?? []).filter((one) => one.expiresAtMs > nowMs);
    const { isRemoved = () => false } = this.#needs;
    const owners = valid.filter((one) => !isRemoved(one)).map(({ owner }) => owner);
    return { peer, owners, prefix, friend: this.#needs.book.isFriend(peer) };
  }

  /** Long answers are for those who paid with an offer of their own, which was checked. */
  #offers(peer: PeerId, limit: number): Uint8Array {
    if (!this.#introduced.has(peer)) throw new HiveError("Denied", "peers.offers", "greet first");
    return encodeList(this.#needs.book.sample(limit, peer).map((offer) => offer.bytes));
  }
}

const none = Buffer.alloc(0);
const nothing = () => none;
