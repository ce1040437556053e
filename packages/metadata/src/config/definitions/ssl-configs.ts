import type { ConfigDefinition } from "../config-definition.ts";
import { boolean, className, list, password, string } from "../config-definition.ts";
import { listOf, oneOf } from "../config-validator.ts";

/** Encryption and certificates. */
export const SSL_CONFIGS: readonly ConfigDefinition[] = [
  string("ssl.protocol", "TLSv1.3", "medium", "Version of TLS to begin with."),
  list(
    "ssl.enabled.protocols",
    ["TLSv1.2", "TLSv1.3"],
    "medium",
    "Versions of TLS that are allowed.",
    listOf({ mayBeEmpty: true }),
  ),
  list(
    "ssl.cipher.suites",
    [],
    "medium",
    "Cipher suites that are allowed; all of the platform when empty.",
    listOf({ mayBeEmpty: true }),
  ),
  string(
    "ssl.client.auth",
    "none",
    "medium",
    "Whether clients must, may or need not show a certificate.",
    oneOf("required", "requested", "none"),
  ),
  string(
    "ssl.endpoint.identification.algorithm",
    "https",
    "low",
    "How the name in a certificate is checked; empty is not at all.",
  ),
  string(
    "ssl.principal.mapping.rules",
    "DEFAULT",
    "low",
    "Rules that turn the name in a certificate into a principal.",
  ),
  boolean(
    "ssl.allow.dn.changes",
    false,
    "low",
    "Whether the distinguished name may change when a certificate is replaced at run time.",
  ),
  boolean(
    "ssl.allow.san.changes",
    false,
    "low",
    "Whether the alternative names may change when a certificate is replaced at run time.",
  ),
  string("ssl.keystore.type", "JKS", "medium", "Format of the key store: JKS, PKCS12 or PEM."),
  string("ssl.keystore.location", null, "medium", "File of the key store."),
  password("ssl.keystore.password", null, "medium", "Password of the key store."),
  password("ssl.keystore.key", null, "medium", "Private key in PEM form."),
  password("ssl.keystore.certificate.chain", null, "medium", "Certificate chain in PEM form."),
  password("ssl.key.password", null, "medium", "Password of the private key."),
  string("ssl.truststore.type", "JKS", "medium", "Format of the trust store: JKS, PKCS12 or PEM."),
  string("ssl.truststore.location", null, "medium", "File of the trust store."),
  password("ssl.truststore.password", null, "medium", "Password of the trust store."),
  password("ssl.truststore.certificates", null, "medium", "Trusted certificates in PEM form."),
  string("ssl.provider", null, "medium", "Provider of the implementation of TLS."),
  className("ssl.engine.factory.class", null, "low", "Class that makes TLS engines."),
  string("ssl.keymanager.algorithm", "SunX509", "medium", "Algorithm of the key manager."),
  string("ssl.trustmanager.algorithm", "PKIX", "medium", "Algorithm of the trust manager."),
  string("ssl.secure.random.implementation", null, "low", "Source of randomness for TLS."),
  string("security.providers", null, "low", "Classes that provide security algorithms."),
];
