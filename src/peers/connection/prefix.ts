/**
 * The part of the internet that a peer's address is of: a /24 of IPv4, a /48 of IPv6. Whoever has
 * one address usually has its neighbours too, so limits for strangers count by these as well as by
 * keys, which cost nothing. Pure.
 */
import { isLoopback, parseAddress, prefixOf as networkOf } from "../../base/address.ts";

/** Undefined for this very machine, and for what is no address. A relayed way is its relay's. */
export function prefixOf(address: string): string | undefined {
  const [, kind = "", host = ""] = address.split("/");
  if (kind !== "ip4" && kind !== "ip6") return undefined;
  // The zone of a link-local address says which of our own links it came by.
  const from = parseAddress(host.replace(/%.*$/, ""));
  if (from === undefined || isLoopback(from)) return undefined;
  return networkOf(from);
}
