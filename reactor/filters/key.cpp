#include "reactor/filters/key.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "reactor/base/fd.h"
#include "reactor/base/private_file.h"
#include "reactor/base/text.h"

namespace musher {

Key::~Key() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Result<Key> Key::parse(std::string_view text) {
    if (text.size() == kBytes + 1 || text.size() == 2 * kBytes + 1) {
        if (text.back() == '\n') text.remove_suffix(1);
    }
    Key key;
    if (text.size() == kBytes) {
        std::copy(text.begin(), text.end(), key.bytes_.begin());
        return key;
    }
    if (text.size() == 2 * kBytes) {
        if (auto raw = from_hex(text)) {
            std::copy(raw->begin(), raw->end(), key.bytes_.begin());
            OPENSSL_cleanse(raw->data(), raw->size());
            return key;
        }
    }
    return fail(Errc::usage, "a key is 32 raw bytes or 64 hex digits",
                "make one: (umask 077; openssl rand -hex 32 > key)");
}

Result<Key> Key::from_file(const std::string& path) {
    // Opening a pipe would wait for its writer.
    MUSHER_TRY(const Fd file, Fd::open(path, O_RDONLY | O_NONBLOCK));
    struct stat info{};
    if (::fstat(file.get(), &info) != 0) return fail(errno_error(errno, "reading " + path));
    if (!S_ISREG(info.st_mode)) {
        return fail(Errc::usage, fmt::format("the key file {} is {}", path,
                                             S_ISDIR(info.st_mode) ? "a folder" : "not a file"));
    }
    MUSHER_DO(check_private(info, "the key file " + path, path));
    if (info.st_uid != ::geteuid() && info.st_uid != 0) {
        return fail(Errc::denied, "the key file " + path + " belongs to another user",
                    "chown it to the user that musher runs as");
    }
    MUSHER_TRY(std::string text, read_small_file(path, 2 * kBytes + 2));
    Result<Key> key = parse(text);
    OPENSSL_cleanse(text.data(), text.size());
    if (!key) return fail(std::move(key).error().within("key file " + path));
    return key;
}

std::string Key::id() const {
    const auto derived = hkdf_sha256(bytes_, ByteView(), as_bytes("musher key id v1"));
    return to_hex(std::span(derived).first(8));
}

std::array<unsigned char, 32> hkdf_sha256(ByteView key, ByteView salt, ByteView info) {
    std::array<unsigned char, 32> out{};
    EVP_KDF* kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
    EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
    EVP_KDF_free(kdf);
    // OpenSSL's parameters are not const, though it only reads them.
    const auto octets = [](const char* name, ByteView bytes) {
        return OSSL_PARAM_construct_octet_string(name, const_cast<unsigned char*>(bytes.data()),
                                                 bytes.size());
    };
    char digest[] = "SHA256";
    std::vector<OSSL_PARAM> parameters = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        octets(OSSL_KDF_PARAM_KEY, key),
    };
    // OpenSSL refuses empty octet strings; leaving them out means the same.
    if (!salt.empty()) parameters.push_back(octets(OSSL_KDF_PARAM_SALT, salt));
    if (!info.empty()) parameters.push_back(octets(OSSL_KDF_PARAM_INFO, info));
    parameters.push_back(OSSL_PARAM_construct_end());
    MUSHER_CHECK(context &&
                 EVP_KDF_derive(context, out.data(), out.size(), parameters.data()) == 1);
    EVP_KDF_CTX_free(context);
    return out;
}

}  // namespace musher
