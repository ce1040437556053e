// @platformatic/kafka, made to load on the oldest Node we run on, which lacks the one function below.
Promise.withResolvers ??= function withResolvers() {
  const parts = {};
  parts.promise = new this((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};

export const platformatic = await import("@platformatic/kafka");
