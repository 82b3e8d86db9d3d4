import { connect as openTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { hasCode } from "../../model/system-errors.js";
import { connectionOptions, type TemporalEndpoint } from "./endpoint.js";

/** What every HTTP/2 connection begins with: a server that takes the client's certificate, or wants none, answers it. */
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0";
const DEFAULT_PORT = 7233;

const UNTRUSTED: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_SIGNATURE_FAILURE",
]);
const EXPIRED: ReadonlySet<string> = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]);
const REFUSES_OURS = /^ERR_SSL_(TLSV1|SSLV3|TLSV13)_ALERT_/;

/**
 * gRPC tells of a handshake that fails only that the time is up. This makes one of its own, to say why.
 * @returns null where TLS is not the reason, or it cannot be told
 */
export async function tlsProblem(endpoint: TemporalEndpoint, timeoutMs: number): Promise<string | null> {
  const { tls = false } = connectionOptions(endpoint);
  const place = placeOf(endpoint.address);
  if (tls === false && endpoint.apiKey === undefined) {
    const strict = { ...place, rejectUnauthorized: false };
    const outcome = await handshake(strict, timeoutMs);
    const speaksTls = outcome === "answers" || (outcome instanceof Error && isAlert(outcome));
    return speaksTls
      ? "it speaks TLS, and none is configured. Set TEMPORAL_TLS=true, or the TLS files of the profile."
      : null;
  }
  const options = tls === true || tls === false ? {} : tls;
  const outcome = await handshake(
    {
      ...place,
      ...(options.serverNameOverride === undefined ? {} : { servername: options.serverNameOverride }),
      ...(options.serverRootCACertificate === undefined ? {} : { ca: options.serverRootCACertificate }),
      ...(options.clientCertPair === undefined
        ? {}
        : { cert: options.clientCertPair.crt, key: options.clientCertPair.key }),
    },
    timeoutMs,
  );
  return outcome instanceof Error ? explained(outcome, options.clientCertPair !== undefined) : null;
}

function explained(error: Error, showsCertificate: boolean): string | null {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (UNTRUSTED.has(code))
    return `its certificate is signed by nobody who is trusted here (${code}). Set TEMPORAL_TLS_SERVER_CA_CERT_PATH, or server_ca_cert_path in the profile, to the certificate of its authority.`;
  if (EXPIRED.has(code)) return `its certificate is not valid now (${code}). It needs a new one.`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return `its certificate is for another name (${error.message}). Set TEMPORAL_TLS_SERVER_NAME, or server_name in the profile, to a name that the certificate has.`;
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG")
    return "it does not speak TLS. Set TEMPORAL_TLS=false, or remove TLS and API key from the configuration.";
  if (!isAlert(error)) return null;
  return showsCertificate
    ? `it refuses the client certificate (${code}). Check that TEMPORAL_TLS_CLIENT_CERT_PATH is signed by an authority that the server trusts.`
    : "it wants a client certificate. Set TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH, or client_cert_path and client_key_path in the profile.";
}

function isAlert(error: Error): boolean {
  return "code" in error && typeof error.code === "string" && REFUSES_OURS.test(error.code);
}

/** In TLS 1.3 a server refuses the client's certificate only behind the handshake: what it says then is waited for. */
function handshake(options: ConnectionOptions, timeoutMs: number): Promise<Error | "answers" | "silent"> {
  return new Promise((resolve) => {
    let socket: TLSSocket;
    const done = (outcome: Error | "answers" | "silent"): void => {
      socket.destroy();
      resolve(outcome);
    };
    try {
      socket = openTls({ ...options, ALPNProtocols: ["h2"], timeout: timeoutMs }, () => {
        socket.write(PREFACE);
      });
    } catch (error) {
      resolve(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    socket.once("data", () => done("answers"));
    socket.once("error", (error) => done(hasCode(error, "ECONNREFUSED") ? "silent" : error));
    socket.once("timeout", () => done("silent"));
    socket.once("close", () => done("silent"));
  });
}

/** An address is `host:port`, `host`, or `[IPv6]:port`. */
function placeOf(address: string): { host: string; port: number } {
  const url = new URL(`grpc://${address}`);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? DEFAULT_PORT : Number(url.port),
  };
}
