/**
 * The part of the internet that an address is of: a /24 of IPv4, a /48 of IPv6. Whoever has one
 * address usually has its neighbours too, so limits for strangers count by these as well as by
 * keys, which cost nothing. Pure.
 */
import { isIP } from "node:net";

/** Undefined for this very machine, and for what is no address. A relayed way is its relay's. */
export function prefixOf(address: string): string | undefined {
  const [, kind, host = ""] = address.split("/");
  if (kind === "ip4" && isIP(host) === 4) return prefixOfV4(host);
  if (kind === "ip6" && isIP(host) === 6) return prefixOfV6(host);
  return undefined;
}

function prefixOfV4(host: string): string | undefined {
  if (host.startsWith("127.")) return undefined;
  return `${host.split(".").slice(0, 3).join(".")}.0/24`;
}

function prefixOfV6(host: string): string | undefined {
  const words = wordsOf(host);
  const isMapped = words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff;
  if (isMapped) {
    const [high = 0, low = 0] = words.slice(6);
    return prefixOfV4([high >> 8, high & 255, low >> 8, low & 255].join("."));
  }
  if (words.slice(0, 7).every((word) => word === 0) && words[7] === 1) return undefined;
  return `${words.slice(0, 3).map((word) => word.toString(16)).join(":")}::/48`;
}

/** The eight words of an IPv6 address that is known to be one. */
function wordsOf(host: string): readonly number[] {
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host);
  const [a = 0, b = 0, c = 0, d = 0] = dotted?.slice(1).map(Number) ?? [];
  const last = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  const text = (dotted === null ? host : host.replace(dotted[0], last)).replace(/%.*$/, "");
  const [front = "", back] = text.split("::");
  const parse = (part: string) => part === "" ? [] : part.split(":").map((w) => parseInt(w, 16));
  const [head, tail] = [parse(front), parse(back ?? "")];
  const zeros = back === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  return [...head, ...new Array<number>(zeros).fill(0), ...tail];
}
