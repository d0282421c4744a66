/**
 * Of whom the DHT's routing table is made: few of any one part of the internet, so that whoever has
 * many names there does not become all that a node knows of the world. What counts is the address
 * that a peer is connected by, not what it says of itself. This machine's own peers and those of a
 * network at home are not counted: there many are one's own.
 */
import type { PeerId as LibraryPeerId } from "@libp2p/interface";
import { isNear, parseAddress } from "../../base/address.ts";
import { type PeerId, parsePeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { prefixOf } from "../connection/prefix.ts";

/** What is public of libp2p's routing table, and missing in the type of its DHT. */
export interface RoutingTable {
  addEventListener(
    type: "peer:add" | "peer:remove", listener: (event: { detail: LibraryPeerId }) => void,
  ): void;
  remove(peer: LibraryPeerId): Promise<void>;
}

/** Where a peer is connected from; undefined for one that is not, or need not be counted. */
export type PlaceOf = (peer: LibraryPeerId) => string | undefined;

/** From now on a peer too many of its place leaves the table as soon as it comes. */
export function keepDiverse(table: RoutingTable, placeOf: PlaceOf): void {
  const places = new Map<PeerId, string>();
  table.addEventListener("peer:add", ({ detail: peer }) => {
    const place = placeOf(peer);
    if (place === undefined) return;
    const others = [...places.values()].filter((other) => other === place).length;
    if (others < limits.dht.tablePerPrefixMax) places.set(parsePeerId(peer.toString()), place);
    // It fails for a table that is being closed, and then there is nothing to leave.
    else table.remove(peer).catch(() => undefined);
  });
  table.addEventListener("peer:remove", ({ detail: peer }) => {
    places.delete(parsePeerId(peer.toString()));
  });
}

/** The prefix that an address far from here is of. */
export function farPrefixOf(address: string): string | undefined {
  const from = parseAddress(address.split("/")[2] ?? "");
  return from === undefined || isNear(from) ? undefined : prefixOf(address);
}
