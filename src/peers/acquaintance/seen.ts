/**
 * Where a connection's other end is, as this machine saw it: the IP address of a direct connection
 * whose key was proved. What a relay carries tells the relay's address, and so tells nothing.
 */
import type { Connection } from "@libp2p/interface";

export type SeenConnection = Pick<Connection, "remoteAddr" | "limits" | "direct">;

/** Undefined for what is relayed, or came over something that has no IP address. */
export function addressSeen(connection: SeenConnection): string | undefined {
  if (!isDirect(connection)) return undefined;
  return /^\/ip[46]\/([^/]+)\//.exec(connection.remoteAddr.toString())?.[1];
}

/** From this machine to the peer's, with nobody between who ends it. */
export function isDirect(connection: SeenConnection): boolean {
  return connection.limits === undefined && connection.direct &&
    !connection.remoteAddr.toString().includes("/p2p-circuit");
}
