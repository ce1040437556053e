/** Announced to brokers, which show it in their metrics (KIP-511). That of every package; a test holds it to package.json. */
export const VERSION = "0.1.0";
