/* SPDX-License-Identifier: MIT */
/* Certificates, keys and trust: from PEM, in files or as text, into a context. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls/context.h"
#include "tls/failure.h"

enum { FILE_MAX = 16 * 1024 * 1024 };

/* PEM text and where it is from. What was read from a file is wiped when it is freed: keys are among it. */
struct text {
    const char *from; /* for failures */
    const char *bytes;
    char *owned;
    size_t size;
};

static void free_text(struct text *text) {
    OPENSSL_clear_free(text->owned, text->size);
}

/* strerror(3) is for one thread alone, and its like are told apart by feature macros: what the kernel says, by number. */
static int fail_by_errno(filch_tls_failure *failure, int error, const char *file) {
    const char *reason = strerrordesc_np(-error);
    if (error == -EFBIG) reason = "above 16 MiB";
    return filch__tls_fail(failure, error, "%s: %s", file, reason == NULL ? "cannot be read" : reason);
}

/* All of a descriptor up to `size` bytes, or fewer where it ends before. How many, or -errno. */
static ssize_t read_all(int number, char *into, size_t size) {
    size_t done = 0;
    while (done < size) {
        ssize_t some = read(number, into + done, size - done);
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) return -errno;
        if (some == 0) break;
        done += (size_t)some;
    }
    return (ssize_t)done;
}

/* What the descriptor holds. 0, or -errno. */
static int read_text(int number, struct text *text) {
    struct stat about;
    if (fstat(number, &about) != 0) return -errno;
    if (S_ISDIR(about.st_mode)) return -EISDIR;
    if (about.st_size > FILE_MAX) return -EFBIG;
    text->size = (size_t)about.st_size + 1;
    text->bytes = text->owned = OPENSSL_malloc(text->size);
    if (text->owned == NULL) return -ENOMEM;
    ssize_t length = read_all(number, text->owned, text->size - 1);
    text->owned[length < 0 ? 0 : length] = '\0';
    return length < 0 ? (int)length : 0;
}

/* The text in `file`, or `pem`, of the option `name`. With neither there is none, and `bytes` is NULL. */
static int get_text(const char *file, const char *pem, const char *name, struct text *text,
                    filch_tls_failure *failure) {
    *text = (struct text){.from = file != NULL ? file : name, .bytes = pem};
    if (file == NULL) return 0;
    int number = open(file, O_RDONLY | O_CLOEXEC), error = number < 0 ? -errno : 0;
    if (error == 0) error = read_text(number, text);
    if (number >= 0) close(number);
    return error == 0 ? 0 : fail_by_errno(failure, error, file);
}

/* What the next certificate is given to. Takes it over on success. */
typedef int take_fn(filch_tls_context *context, X509 *certificate);

static int take_leaf(filch_tls_context *context, X509 *certificate) {
    if (SSL_CTX_use_certificate(context->native, certificate) != 1) return 0;
    X509_free(certificate);
    return 1;
}

static int take_link(filch_tls_context *context, X509 *certificate) {
    return SSL_CTX_add0_chain_cert(context->native, certificate) == 1;
}

/* Whom a server trusts it also names to the client, who so knows which certificate to show. */
static int take_authority(filch_tls_context *context, X509 *certificate) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context->native), certificate) != 1) return 0;
    if (context->role == FILCH_TLS_SERVER && SSL_CTX_add_client_CA(context->native, certificate) != 1) return 0;
    X509_free(certificate);
    return 1;
}

/* Where the text is not what it should be at all, OpenSSL says little ("unsupported"). */
static int lacks(filch_tls_failure *failure, const char *from, const char *what) {
    ERR_clear_error();
    return filch__tls_fail(failure, -EBADMSG, "%s: %s", from, what);
}

/* Gives each certificate in the text to `first` and the others to `rest`. There must be one. */
static int take_certificates(filch_tls_context *context, const struct text *text, take_fn *first, take_fn *rest,
                             filch_tls_failure *failure) {
    int count = 0, error = 0;
    BIO *bio = BIO_new_mem_buf(text->bytes, -1);
    for (X509 *certificate; bio != NULL && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL; count++) {
        if ((count == 0 ? first : rest)(context, certificate)) continue;
        X509_free(certificate);
        error = -EKEYREJECTED;
        break;
    }
    BIO_free(bio);
    if (error == 0) { /* the end of the text is an error too, but the expected one */
        unsigned long code = ERR_peek_last_error();
        bool at_end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
        if (bio == NULL)
            error = -ENOMEM;
        else if (!at_end || count == 0)
            error = -EBADMSG;
    }
    if (error == -EBADMSG && count == 0 && strstr(text->bytes, "CERTIFICATE-----") == NULL)
        return lacks(failure, text->from, "holds no certificate in PEM form");
    if (error != 0) return filch__tls_fail_by_queue(failure, error, text->from);
    ERR_clear_error();
    return 0;
}

/* OpenSSL would else ask at the terminal. */
static int give_password(char *into, int size, int writing, void *arg) {
    const char *password = arg;
    (void)writing;
    size_t length = password == NULL ? 0 : strlen(password);
    if (password == NULL || length > (size_t)size) return -1;
    memcpy(into, password, length);
    return (int)length;
}

/* `otherwise`: what is to be done where the text holds no key. */
static int take_key(filch_tls_context *context, const struct text *text, const char *password, const char *otherwise,
                    filch_tls_failure *failure) {
    BIO *bio = BIO_new_mem_buf(text->bytes, -1);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, give_password, (void *)password);
    BIO_free(bio);
    if (key == NULL && bio != NULL && strstr(text->bytes, "PRIVATE KEY-----") == NULL)
        return lacks(failure, text->from, otherwise);
    if (key == NULL) return filch__tls_fail_by_queue(failure, bio == NULL ? -ENOMEM : -EBADMSG, text->from);
    int done = SSL_CTX_use_PrivateKey(context->native, key) == 1 && SSL_CTX_check_private_key(context->native) == 1;
    EVP_PKEY_free(key);
    return done ? 0 : filch__tls_fail_by_queue(failure, -EKEYREJECTED, text->from);
}

static int load_own(filch_tls_context *context, const filch_tls_context_options *options, filch_tls_failure *failure) {
    struct text certificate, key = {0};
    int error = get_text(options->certificate_file, options->certificate_pem, "certificate_pem", &certificate, failure);
    if (error == 0 && certificate.bytes != NULL) {
        error = take_certificates(context, &certificate, take_leaf, take_link, failure);
        if (error == 0) error = get_text(options->key_file, options->key_pem, "key_pem", &key, failure);
        bool apart = key.bytes != NULL;
        if (error == 0)
            error = take_key(
                context, apart ? &key : &certificate, options->key_password,
                apart ? "holds no private key in PEM form" : "holds no private key; name key_file or key_pem", failure);
    }
    free_text(&key);
    free_text(&certificate);
    return error;
}

static int load_trust(filch_tls_context *context, const filch_tls_context_options *options,
                      filch_tls_failure *failure) {
    struct text trust;
    int error = get_text(options->trust_file, options->trust_pem, "trust_pem", &trust, failure);
    bool some = error == 0 && trust.bytes != NULL;
    if (some) error = take_certificates(context, &trust, take_authority, take_authority, failure);
    free_text(&trust);
    if (error != 0) return error;
    bool system = options->trust_system || (!some && context->role == FILCH_TLS_CLIENT);
    if (system && SSL_CTX_set_default_verify_paths(context->native) != 1)
        return filch__tls_fail_by_queue(failure, -ENOMEM, "the system's certificates");
    ERR_clear_error();
    return 0;
}

int filch__tls_load(filch_tls_context *context, const filch_tls_context_options *options, filch_tls_failure *failure) {
    int error = load_own(context, options, failure);
    return error != 0 ? error : load_trust(context, options, failure);
}
