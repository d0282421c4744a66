/**
 * How a node behind a home's router is reached: through a relay that it asked to, over a hole that
 * both sides open at once, or by a port that the router opens. And whether it is a relay itself.
 * A node that listens on this machine alone, such as a local swarm's, has none of it.
 */
import { autoNAT } from "@libp2p/autonat";
import { circuitRelayServer, circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import type { CircuitRelayServerComponents, CircuitRelayTransportComponents }
  from "@libp2p/circuit-relay-v2";
import { dcutr } from "@libp2p/dcutr";
import type { ConnectionGater, Libp2pEvents, PeerId, PeerRouting, Startable, TypedEventTarget }
  from "@libp2p/interface";
import { isPrivate } from "@libp2p/utils";
import { multiaddr } from "@multiformats/multiaddr";
import { limits } from "../../base/limits.ts";
import { RelaySearch, type SearchNeeds } from "./relay-search.ts";

export interface Reach {
  /** Others may reach this node through relays, and it others. */
  readonly relayed: boolean;
  /** Carries others' bytes: always, never, or when others can reach this node straight. */
  readonly relays: "always" | "never" | "reachable";
  /** Asks the router for a port. */
  readonly upnp: boolean;
}

export interface ReachOptions {
  readonly listen: readonly string[];
  readonly relay: "on" | "off" | "auto";
  readonly upnp: boolean;
}

export function reachOf({ listen, relay, upnp }: ReachOptions): Reach {
  const isLocal = listen.every((address) => /^\/(ip4\/127\.|ip6\/::1\/)/.test(address));
  if (isLocal) return { relayed: false, relays: "never", upnp: false };
  const relays = { on: "always", off: "never", auto: "reachable" } as const;
  return { relayed: true, relays: relays[relay], upnp };
}

type TransportParts = CircuitRelayTransportComponents & { readonly peerRouting: PeerRouting };

/** Takes relayed connections, and makes them. */
export function relayTransport(needs: SearchNeeds) {
  const make = circuitRelayTransport({
    reservationCompletionTimeout: limits.relay.hopTimeoutMs,
    maxInboundStopStreams: limits.relay.streamsMax,
    maxOutboundStopStreams: limits.relay.streamsMax,
  });
  return (components: TransportParts) => {
    const randomWalk = new RelaySearch(needs, () => components.peerRouting);
    return make(new Proxy(components, {
      get: (target, name) => name === "randomWalk" ? randomWalk : Reflect.get(target, name),
    }));
  };
}

/** What listens for relayed connections. */
export const relayedAddress = "/p2p-circuit";

/** The services of a node that is not on this machine alone. */
export async function reachServices({ relays, upnp }: Reach, prefixOf: PrefixOf) {
  // SSDP and XML are only loaded where a router may answer.
  const nat = upnp ? { upnp: await natOf() } : {};
  const relay = relays === "never"
    ? {}
    : { relay: (components: RelayParts) => new Relay(components, { when: relays, prefixOf }) };
  return {
    autonat: autoNAT({ protocolPrefix: "hive" }), dcutr: dcutr(), ...nat, ...relay,
  };
}

/** Where no router answers, libp2p's own search is under way half of the time, for ever. */
async function natOf() {
  const { uPnPNAT } = await import("@libp2p/upnp-nat");
  return uPnPNAT({
    initialGatewaySearchInterval: limits.upnp.searchEveryMs,
    initialGatewaySearchMessageInterval: limits.upnp.askEveryMs,
  });
}

/** Which part of the internet an address is of; undefined for one that is not counted. */
export type PrefixOf = (address: string) => string | undefined;

type RelayParts = CircuitRelayServerComponents & {
  readonly events: TypedEventTarget<Libp2pEvents>;
};

/** The relay server, which begins once this node is one that others can reach. */
class Relay implements Startable {
  readonly #server: ReturnType<ReturnType<typeof circuitRelayServer>> & Partial<Startable>;
  readonly #components: RelayParts;
  readonly #look = () => void this.#begin();
  #state: "waiting" | "on" | "stopped" = "waiting";
  readonly #always: boolean;
  readonly #prefixOf: PrefixOf;

  constructor(
    components: RelayParts,
    { when, prefixOf }: { readonly when: "always" | "reachable"; readonly prefixOf: PrefixOf },
  ) {
    this.#components = components;
    this.#always = when === "always";
    this.#prefixOf = prefixOf;
    const { reservationsMax, reservationMs, hopTimeoutMs, streamsMax } = limits.relay;
    this.#server = circuitRelayServer({
      hopTimeout: hopTimeoutMs,
      maxInboundHopStreams: streamsMax,
      maxOutboundHopStreams: streamsMax,
      maxOutboundStopStreams: streamsMax,
      reservations: {
        maxReservations: reservationsMax,
        reservationTtl: reservationMs,
        defaultDataLimit: BigInt(limits.relay.connectionBytesMax),
        defaultDurationLimit: limits.relay.connectionMs,
        applyDefaultLimit: true,
      },
    })(this.#guarded(components));
  }

  async start(): Promise<void> {
    this.#components.events.addEventListener("self:peer:update", this.#look);
    await this.#begin();
  }

  async stop(): Promise<void> {
    this.#components.events.removeEventListener("self:peer:update", this.#look);
    const was = this.#state;
    this.#state = "stopped";
    if (was === "on") await this.#server.stop?.();
  }

  #guarded(components: RelayParts): RelayParts {
    const connectionGater: ConnectionGater = {
      ...components.connectionGater,
      denyInboundRelayReservation: (peer) => !this.#hasRoomFor(peer),
    };
    return new Proxy(components, {
      get: (target, name) => {
        return name === "connectionGater" ? connectionGater : Reflect.get(target, name);
      },
    });
  }

  /**
   * Whoever has one address has as many keys as he likes, and a place once taken is his for an
   * hour: so many of one part of the internet, and only while they are here.
   */
  #hasRoomFor(peer: PeerId): boolean {
    const { reservations } = this.#server;
    for (const [other, { signal }] of reservations.entries()) {
      if (this.#components.connectionManager.getConnections(other).length > 0) continue;
      signal.clear();
      reservations.delete(other);
    }
    const place = this.#placeOf(peer);
    if (place === undefined || reservations.has(peer)) return true;
    const same = [...reservations.keys()].filter((other) => this.#placeOf(other) === place);
    return same.length < limits.relay.reservationsPerPrefixMax;
  }

  #placeOf(peer: PeerId): string | undefined {
    const [connection] = this.#components.connectionManager.getConnections(peer);
    return connection && this.#prefixOf(connection.remoteAddr.toString());
  }

  async #begin(): Promise<void> {
    if (this.#state !== "waiting") return;
    const addresses = this.#components.addressManager.getAddresses();
    if (!this.#always && !addresses.some((one) => isPublic(one.toString()))) return;
    this.#state = "on";
    await this.#server.start?.();
  }
}

/** An address that strangers can dial: not of a home's own network, and not another's relay. */
export function isPublic(address: string): boolean {
  if (address.includes(relayedAddress)) return false;
  return /^\/ip[46]\//.test(address) && !isPrivate(multiaddr(address));
}

/**
 * libp2p keeps a public address to itself until enough others have dialled it. One that the user
 * has written down with its port needs no proof: it costs others a dial if it is wrong.
 */
export function isToldPublic(address: string): boolean {
  return isPublic(address) && !/\/(0\.0\.0\.0|::)\/|\/(tcp|udp)\/0$/.test(address);
}
