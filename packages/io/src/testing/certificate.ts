/**
 * For tests of TLS, and of no use for anything else: of localhost and 127.0.0.1, by itself, until 2126. Made with
 * `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 36500 -nodes -subj /CN=localhost
 * -addext subjectAltName=DNS:localhost,IP:127.0.0.1`.
 */
export const TEST_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUQ6B8GP/x0Ek8p8CELtTgNTP/JTQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTA5MTIwNloYDzIxMjYxMDI4
MDkxMjA2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQ5jSpETgwUswhMoymDAjS1F32xfjhZiBbi7NYFY6IGzpLFiwfl8fdQ
BRw/G8UqDymBCLsZemfPEEC/AHJcYeVto28wbTAdBgNVHQ4EFgQUDmR6LI+MiLwo
0SskQd1H9+HDB+wwHwYDVR0jBBgwFoAUDmR6LI+MiLwo0SskQd1H9+HDB+wwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgdFfcpQoiIjJf4XoAeuMTKcSnn0lgNQ+mia/ewZMmBEwCIDPE
XUzp+2l7WZgpodIMybTV8WwoDuHEzd4aKJiiretc
-----END CERTIFICATE-----
`;

export const TEST_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrK0t4tshvti33tNh
DZ9H7kEbpoCnzIE13zokHBdx+m+hRANCAAQ5jSpETgwUswhMoymDAjS1F32xfjhZ
iBbi7NYFY6IGzpLFiwfl8fdQBRw/G8UqDymBCLsZemfPEEC/AHJcYeVt
-----END PRIVATE KEY-----
`;
