/* SPDX-License-Identifier: Apache-2.0 */
/* See testing-certs.h. */
#include "net/testing-certs.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

enum { DAY = 24 * 3600 };

static const struct recipe {
	const char *name, *common_name, *alternative_names;
	int from_days, to_days;
	enum { BY_ITSELF, BY_CA } issuer;
	bool is_ca;
} recipes[] = {
	{ "ca", "mailferry test CA", NULL, -1, 30, BY_ITSELF, true },
	{ "good", "anything", "DNS:good.example,DNS:*.wild.example,IP:127.0.0.1", -1, 30, BY_CA },
	{ "expired", "anything", "DNS:good.example", -30, -2, BY_CA },
	{ "future", "anything", "DNS:good.example", 5, 30, BY_CA },
	{ "plain", "good.example", NULL, -1, 30, BY_CA },
	{ "self", "anything", "DNS:good.example", -1, 30, BY_ITSELF },
	{ "client", "joe", NULL, -1, 30, BY_CA },
};

struct made {
	X509 *cert;
	EVP_PKEY *key;
};

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
}

static struct made make(const struct recipe *recipe, int serial, const struct made *ca)
{
	struct made made = { X509_new(), EVP_EC_gen("P-256") };
	const struct made *issuer = recipe->issuer == BY_CA ? ca : &made;
	X509_NAME *name = X509_get_subject_name(made.cert);

	X509_set_version(made.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made.cert), serial);
	X509_gmtime_adj(X509_getm_notBefore(made.cert), (long)recipe->from_days * DAY);
	X509_gmtime_adj(X509_getm_notAfter(made.cert), (long)recipe->to_days * DAY);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   (const unsigned char *)recipe->common_name, -1, -1, 0);
	X509_set_issuer_name(made.cert, X509_get_subject_name(issuer->cert));
	X509_set_pubkey(made.cert, made.key);
	if (recipe->is_ca)
		add_extension(made.cert, NID_basic_constraints, "critical,CA:TRUE");
	if (recipe->alternative_names)
		add_extension(made.cert, NID_subject_alt_name, recipe->alternative_names);
	X509_sign(made.cert, issuer->key, EVP_sha256());
	return made;
}

static bool save(struct certs *certs, const char *name, const struct made *made)
{
	char file[40];
	FILE *f;
	bool good;

	snprintf(file, sizeof(file), "%s.pem", name);
	f = fopen(certs_path(certs, file), "w");
	good = f && PEM_write_X509(f, made->cert) == 1;
	if (f)
		fclose(f);

	snprintf(file, sizeof(file), "%s.key", name);
	f = fopen(certs_path(certs, file), "w");
	good = good && f && PEM_write_PrivateKey(f, made->key, NULL, NULL, 0, NULL, NULL) == 1;
	if (f)
		fclose(f);
	return good;
}

static void made_done(struct made *made)
{
	X509_free(made->cert);
	EVP_PKEY_free(made->key);
}

void certs_make(struct check *check, struct certs *certs)
{
	struct made ca = { 0 };
	bool good = true;

	snprintf(certs->folder, sizeof(certs->folder), "certs-XXXXXX");
	if (!mkdtemp(certs->folder))
		CHECK_FAIL("no folder for certificates");

	for (size_t i = 0; i < ARRAY_SIZE(recipes); i++) {
		struct made made = make(&recipes[i], (int)i + 1, &ca);

		good &= save(certs, recipes[i].name, &made);
		if (i == 0)
			ca = made;
		else
			made_done(&made);
	}
	made_done(&ca);
	CHECK(good);
}

void certs_done(struct certs *certs)
{
	static const char *const ends[] = { "pem", "key" };
	char file[40];

	for (size_t i = 0; i < ARRAY_SIZE(recipes) * 2; i++) {
		snprintf(file, sizeof(file), "%s.%s", recipes[i / 2].name, ends[i % 2]);
		unlink(certs_path(certs, file));
	}
	rmdir(certs->folder);
}

const char *certs_path(struct certs *certs, const char *name)
{
	char folder[sizeof(certs->folder)];
	char *to = certs->path[certs->turn++ % 2];

	memcpy(folder, certs->folder, sizeof(folder));
	snprintf(to, sizeof(certs->path[0]), "%s/%s", folder, name);
	return to;
}
