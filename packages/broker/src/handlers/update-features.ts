import { UpdateFeaturesRequest } from "@samsa/protocol/messages/update-features-request";
import { UpdateFeaturesResponse } from "@samsa/protocol/messages/update-features-response";
import type { ApiHandler } from "../api-handler.ts";

const UPGRADE = 1;
const SAFE_DOWNGRADE = 2;

/**
 * UpdateFeatures 0-2 (KIP-584). v1 names the kind of change and can only validate (KIP-778); up to v1 each feature is answered,
 * from v2 on only what went wrong.
 */
export const updateFeatures: ApiHandler<UpdateFeaturesRequest, UpdateFeaturesResponse> = {
  request: UpdateFeaturesRequest,
  response: UpdateFeaturesResponse,

  async handle(request, { apiVersion }, { controller }) {
    const featureUpdates =
      apiVersion > 0
        ? request.featureUpdates
        : request.featureUpdates.map((update) => ({
            ...update,
            upgradeType: update.allowDowngrade ? SAFE_DOWNGRADE : UPGRADE,
          }));
    const response = await controller.updateFeatures({ ...request, featureUpdates });
    if (apiVersion > 1 || response.errorCode !== 0) return response;
    const results = featureUpdates.map(({ feature }) => ({ feature, errorCode: 0, errorMessage: null }));
    return { ...response, results };
  },

  refuse: (_request, errorCode, errorMessage) => UpdateFeaturesResponse.create({ errorCode, errorMessage }),
};
