// Installed in compat/node_modules by `npm run compat` alone, so that the types of their callers must not depend on them.
declare module "kafkajs";
declare module "@platformatic/kafka";
