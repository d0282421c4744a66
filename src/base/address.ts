/**
 * IP addresses as numbers, and the networks that they lie in: the prefix that fails together, the
 * line that one household has, and which addresses are no place at all. Pure.
 *
 * An IPv6 address that only wraps an IPv4 one (mapped, NAT64, 6to4) counts as the one inside.
 */
import { isIP, isIPv4 } from "node:net";

export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** The address, from its text; undefined when it is none. */
export function parseAddress(text: string): Address | undefined {
  const family = isIP(text);
  if (family === 0 || text.includes("%")) return undefined;
  if (family === 4) return { family, value: valueOf4(text) };
  return unwrapped(valueOf6(text));
}

/** Whether it is one of the internet's: not local, shared by a carrier, reserved or multicast. */
export function isPublic({ family, value }: Address): boolean {
  const special = family === 4 ? special4 : special6;
  return !special.some((network) => contains(network, value));
}

/** Whether it is this very machine's own. */
export function isLoopback({ family, value }: Address): boolean {
  return family === 4 ? contains(loopback4, value) : value === 1n;
}

/** This machine, or a network at home: what no provider carries. */
export function isNear({ family, value }: Address): boolean {
  return (family === 4 ? near4 : near6).some((network) => contains(network, value));
}

/** /24 or /48: what one operator moves, or loses, as a whole. */
export function prefixOf(address: Address): string {
  return networkText(address, address.family === 4 ? 24 : 48);
}

/** What one line is given: an IPv4 address, or 256 networks of IPv6 (RFC 6177). */
export function lineOf(address: Address): string {
  return networkText(address, address.family === 4 ? 32 : 56);
}

interface Network {
  readonly first: bigint;
  readonly last: bigint;
}

function contains({ first, last }: Network, value: bigint): boolean {
  return value >= first && value <= last;
}

function networkText({ family, value }: Address, bits: number): string {
  const rest = BigInt((family === 4 ? 32 : 128) - bits);
  const first = (value >> rest) << rest;
  return `${family === 4 ? textOf4(first) : textOf6(first)}/${bits}`;
}

function valueOf4(text: string): bigint {
  return text.split(".").reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function valueOf6(text: string): bigint {
  const [head = "", tail] = text.split("::");
  const left = groupsOf(head);
  const right = tail === undefined ? [] : groupsOf(tail);
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => 0n);
  return [...left, ...zeros, ...right].reduce((value, group) => (value << 16n) | group, 0n);
}

function groupsOf(text: string): readonly bigint[] {
  if (text === "") return [];
  return text.split(":").flatMap((part) => {
    if (!isIPv4(part)) return [BigInt(`0x${part}`)];
    const value = valueOf4(part);
    return [value >> 16n, value & 0xffffn];
  });
}

function unwrapped(value: bigint): Address {
  const wrapping = wrappers.find(({ network }) => contains(network, value));
  if (wrapping === undefined) return { family: 6, value };
  return { family: 4, value: (value >> wrapping.shift) & 0xffff_ffffn };
}

function textOf4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
}

/** As RFC 5952 has it for a network's own address: its trailing zeros become `::`. */
function textOf6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, at) => (value >> BigInt(112 - 16 * at)) & 0xffffn);
  const last = groups.findLastIndex((group) => group !== 0n);
  const text = groups.slice(0, last + 1).map((group) => group.toString(16)).join(":");
  return last === 7 ? text : `${text}::`;
}

function network(text: string): Network {
  const [first = "", bits = ""] = text.split("/");
  const isOld = isIPv4(first);
  const value = isOld ? valueOf4(first) : valueOf6(first);
  const size = 1n << BigInt((isOld ? 32 : 128) - Number(bits));
  return { first: value, last: value + size - 1n };
}

const loopback4 = network("127.0.0.0/8");

/** The IANA registries of special-purpose addresses (RFC 6890), and multicast. */
const special4 = [
  "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
  "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
  "203.0.113.0/24", "224.0.0.0/3",
].map(network);

/** Loopback, private use and link-local; a carrier's shared addresses are far. */
const near4 = [
  "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
].map(network);
const near6 = ["::1/128", "fc00::/7", "fe80::/10"].map(network);

/** All but global unicast, and of that what is for documents, benchmarks and Teredo. */
const special6 = [
  "::/3", "4000::/2", "8000::/1", "2001::/23", "2001:db8::/32", "3fff::/20",
].map(network);

/** Mapped, NAT64 and 6to4: where the IPv4 address begins, counted from the right. */
const wrappers = [
  { network: network("::ffff:0.0.0.0/96"), shift: 0n },
  { network: network("64:ff9b::/96"), shift: 0n },
  { network: network("2002::/16"), shift: 80n },
];
