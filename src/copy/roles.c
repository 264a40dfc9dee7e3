/* SPDX-License-Identifier: Apache-2.0 */
/* Roles by attribute and by name: two tables and their look-ups.
 *
 * The names are those that webmail, mail programs and servers create by themselves: Outlook and
 * Exchange, Apple Mail, Thunderbird, Gmail, Yahoo, GMX, Roundcube, Horde, Alibaba, NetEase,
 * Tencent and others, each in its languages. They are written as keys (lower case, composed),
 * the test holds them to it. Left out on purpose: outboxes, and words that mean junk here and
 * trash there ("垃圾箱"). English comes first, so that of several folders at a destination the
 * plainest is taken. */
#include "copy/roles.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "mail/utf8.h"

static const struct {
	const char *name, *attribute;
} roles[ROLE_COUNT] = {
	[ROLE_NONE] = { "none", "" },
	[ROLE_INBOX] = { "inbox", "" },
	[ROLE_DRAFTS] = { "drafts", "\\Drafts" },
	[ROLE_SENT] = { "sent", "\\Sent" },
	[ROLE_ARCHIVE] = { "archive", "\\Archive" },
	[ROLE_JUNK] = { "junk", "\\Junk" },
	[ROLE_TRASH] = { "trash", "\\Trash" },
	[ROLE_ALL] = { "all", "\\All" },
	[ROLE_FLAGGED] = { "flagged", "\\Flagged" },
	[ROLE_IMPORTANT] = { "important", "\\Important" },
};

/* What XLIST calls otherwise. */
static const struct {
	const char *attribute;
	enum role role;
} xlist[] = {
	{ "\\Inbox", ROLE_INBOX },
	{ "\\Spam", ROLE_JUNK },
	{ "\\AllMail", ROLE_ALL },
	{ "\\Starred", ROLE_FLAGGED },
};

static const char *const sent_names[] = {
	"sent", "sent items", "sent mail", "sent messages", "sent objects", "sent-mail",
	"sentmail", "sentitems", "sent elements", "sent email", "sent emails",
	"gesendet", "gesendete elemente", "gesendete objekte", "gesendete nachrichten",
	"gesendete mails", "gesendete e-mails", "gesendete", "éléments envoyés", "envoyés",
	"messages envoyés", "objets envoyés", "courrier envoyé", "envoyé", "courriels envoyés",
	"mails envoyés", "elementos enviados", "enviados", "mensajes enviados",
	"correo enviado", "correos enviados", "enviado", "elements enviats", "enviats",
	"itens enviados", "mensagens enviadas", "e-mails enviados", "enviadas",
	"e-mail enviado", "correio enviado", "posta inviata", "inviati", "messaggi inviati",
	"elementi inviati", "inviata", "verzonden items", "verzonden", "verzonden berichten",
	"verzonden objecten", "verzonden e-mail", "elementy wysłane", "wysłane",
	"wiadomości wysłane", "poczta wysłana", "отправленные", "отправленные элементы",
	"отправленные письма", "отправленные сообщения", "надіслані", "надіслані елементи",
	"відправлені", "відправлені елементи", "надіслана пошта", "odeslaná pošta", "odeslané",
	"odeslané položky", "odeslané zprávy", "odoslaná pošta", "odoslané",
	"odoslané položky", "skickat", "skickade objekt", "skickade meddelanden", "skickade",
	"sendt post", "sendt", "sendte elementer", "sendte meddelelser", "sendte",
	"sendte meldinger", "sende elementer", "sendt e-post", "lähetetyt",
	"lähetetyt kohteet", "lähetetyt viestit", "gönderilmiş öğeler", "gönderilmiş",
	"gönderilenler", "gönderilmiş postalar", "gönderilen", "gönderilmiş i̇letiler",
	"απεσταλμένα", "απεσταλμένη αλληλογραφία", "σταλμένα", "απεσταλμένα μηνύματα",
	"elküldött elemek", "elküldött", "elküldött üzenetek", "elküldött levelek",
	"elküldöttek", "elemente trimise", "trimise", "mesaje trimise", "送信済み",
	"送信済みアイテム", "送信済みメール", "送信済みメッセージ", "送信済みトレイ",
	"送信メール", "보낸 편지함", "보낸편지함", "보낸 메일함", "보낸메일함", "보낸 항목",
	"보낸 메시지", "已发送", "已发送邮件", "已发邮件", "已发送消息", "已发送的邮件",
	"已发信息", "发送邮件", "已发送项目", "寄件備份", "已傳送", "已傳送的郵件",
	"寄件備份匣", "已寄出郵件", "已寄送郵件", "已傳送郵件", "العناصر المرسلة", "المرسلة",
	"البريد المرسل", "المُرسل", "المرسل", "الرسائل المرسلة", "פריטים שנשלחו", "נשלח",
	"דואר שנשלח", "נשלחו", "รายการที่ส่ง", "ส่งแล้ว", "จดหมายที่ส่งแล้ว", "จดหมายที่ส่ง",
	"รายการที่ถูกส่ง", "thư đã gửi", "mục đã gửi", "đã gửi", "các mục đã gửi",
	"item terkirim", "terkirim", "pesan terkirim", "surat terkirim", "kotak terkirim",
	NULL,
};

static const char *const drafts_names[] = {
	"drafts", "draft", "draft items", "draft mail", "draft messages", "entwürfe",
	"entwurf", "brouillons", "brouillon", "borradores", "borrador", "esborranys",
	"rascunhos", "rascunho", "bozze", "bozza", "concepten", "wersje robocze", "szkice",
	"robocze", "kopie robocze", "черновики", "чернетки", "koncepty", "rozepsané",
	"rozepsané zprávy", "rozpísané", "utkast", "kladder", "kladde", "udkast", "luonnokset",
	"taslaklar", "taslak", "πρόχειρα", "piszkozatok", "vázlatok", "ciorne", "schițe",
	"mesaje nefinalizate", "下書き", "下書きトレイ", "ドラフト", "임시 보관함",
	"임시보관함", "임시보관", "초안", "草稿", "草稿箱", "草稿夹", "草稿文件夹", "草稿匣",
	"草稿夾", "草稿郵件", "المسودات", "مسودات", "مسودة", "טיוטות", "แบบร่าง", "ร่าง",
	"จดหมายร่าง", "ร่างจดหมาย", "thư nháp", "bản nháp", "nháp", "draf", "konsep",
	NULL,
};

static const char *const junk_names[] = {
	"junk", "spam", "junk email", "junk e-mail", "junk mail", "junk-mail", "bulk mail",
	"bulk", "junk messages", "spambox", "junkmail", "spam mail", 
	"bulk e-mail", "junk-e-mail", "spamverdacht", "unerwünscht", "unerwünschte werbung",
	"unerwünschte e-mail", "spam-mails", "spam-verdacht", "courrier indésirable",
	"indésirables", "pourriel", "pourriels", "indésirable", "messages indésirables",
	"courriels indésirables", "correo no deseado", "correo basura", "no deseado",
	"correo electrónico no deseado", "correu brossa", "lixo eletrônico", "lixo eletrónico",
	"correio eletrónico de lixo", "e-mail de lixo", "lixo electrónico", "correio de lixo",
	"posta indesiderata", "indesiderata", "posta spazzatura", "ongewenste e-mail",
	"ongewenst", "ongewenste berichten", "ongewenste reclame", "wiadomości-śmieci",
	"wiadomości śmieci", "niechciane", "niechciana poczta", "нежелательная почта", "спам",
	"нежелательные", "небажана пошта", "небажана електронна пошта", "nevyžádaná pošta",
	"nevyžádané", "nevyžiadaná pošta", "skräppost", "skräp", "uønsket e-mail",
	"uønsket mail", "uønsket post", "søppelpost", "useriøs e-post", "uønsket e-post",
	"roskaposti", "gereksiz e-posta", "önemsiz e-posta", "gereksiz", "i̇stenmeyen",
	"i̇stenmeyen e-posta", "önemsiz", "i̇stenmeyen posta", "ανεπιθύμητη αλληλογραφία",
	"ανεπιθύμητα", "ανεπιθύμητη", "levélszemét", "kéretlen levelek", "kéretlen",
	"e-mail nedorit", "mesaje nedorite", "nedorite", "迷惑メール", "迷惑メールフォルダ",
	"迷惑", "スパム", "정크 메일", "정크메일", "스팸", "스팸함", "스팸 메일함",
	"스팸메일함", "스팸편지함", "스팸 편지함", "垃圾邮件", "垃圾邮件箱", "垃圾信件",
	"垃圾郵件", "垃圾信件匣", "垃圾信件夾", "البريد الإلكتروني غير الهام",
	"البريد غير الهام", "بريد عشوائي", "البريد العشوائي", "غير المرغوب",
	"رسائل غير مرغوب فيها", "البريد غير المرغوب فيه", "דואר זבל", "זבל", "ספאם",
	"อีเมลขยะ", "จดหมายขยะ", "สแปม", "เมลขยะ", "thư rác", "email rác", "email sampah",
	"surat sampah", "pesan sampah",
	NULL,
};

static const char *const trash_names[] = {
	"trash", "deleted items", "deleted messages", "deleted", "bin", "deleted objects",
	"recycle bin", "wastebasket", "rubbish", "deleted mail", "trash can", "trashcan",
	"deleted-items", "recycled", "papierkorb", "gelöschte elemente",
	"gelöschte objekte", "gelöscht", "gelöschte nachrichten", "corbeille",
	"éléments supprimés", "messages supprimés", "supprimés", "objets supprimés",
	"poubelle", "courrier supprimé", "elementos eliminados", "papelera", "eliminados",
	"mensajes eliminados", "papelera de reciclaje", "elementos borrados", "borrados",
	"elements suprimits", "paperera", "itens excluídos", "lixeira", "excluídos",
	"itens eliminados", "lixo", "mensagens excluídas", "mensagens eliminadas",
	"reciclagem", "posta eliminata", "cestino", "eliminati", "elementi eliminati",
	"messaggi eliminati", "eliminata", "verwijderde items", "prullenbak", "verwijderd",
	"verwijderde berichten", "prullenmand", "verwijderde objecten", "elementy usunięte",
	"kosz", "usunięte", "wiadomości usunięte", "удаленные", "удалённые", "корзина",
	"удаленные элементы", "удалённые элементы", "удаленные сообщения",
	"удалённые сообщения", "видалені", "видалені елементи", "кошик", "смітник", "видалене",
	"odstraněná pošta", "koš", "odstraněné", "odstraněné položky", "smazané",
	"odstránená pošta", "kôš", "odstránené položky", "borttagna objekt", "papperskorgen",
	"papperskorg", "borttaget", "borttagna", "slettet post", "papirkurv",
	"slettede elementer", "slettet", "slettede", "papirkurven", "slettede meldinger",
	"søppel", "søppelbøtte", "søppelkurv", "poistetut", "roskakori", "poistetut kohteet",
	"poistetut viestit", "silinmiş öğeler", "çöp", "çöp kutusu", "silinmiş", "silinenler",
	"silinmiş postalar", "çöp kovası", "silinmiş i̇letiler", "διαγραμμένα",
	"κάδοσ απορριμμάτων", "κάδοσ", "απορρίμματα", "διαγραμμένα στοιχεία",
	"κάδοσ ανακύκλωσησ", "törölt elemek", "kuka", "törölt", "lomtár", "törölt üzenetek",
	"töröltek", "elemente șterse", "coș de gunoi", "șterse", "coș", "gunoi",
	"mesaje șterse", "elemente sterse", "ごみ箱", "削除済みアイテム", "ゴミ箱", "削除済み",
	"削除済みメール", "削除済みメッセージ", "지운 편지함", "휴지통", "지운편지함",
	"삭제된 항목", "삭제한 편지함", "지운 메일함", "삭제된 편지함", "已删除邮件", "已删除",
	"废纸篓", "回收站", "废件箱", "已删除的邮件", "已删除项目", "已删除消息", "已删邮件",
	"刪除的郵件", "垃圾桶", "已刪除", "刪除郵件", "回收筒", "已刪除的郵件", "已刪除郵件",
	"刪除的項目", "資源回收筒", "العناصر المحذوفة", "المهملات", "سلة المهملات", "المحذوفة",
	"البريد المحذوف", "الرسائل المحذوفة", "פריטים שנמחקו", "אשפה", "סל המחזור", "נמחקו",
	"דואר שנמחק", "פח אשפה", "รายการที่ถูกลบ", "ถังขยะ", "รายการที่ลบ", "ลบแล้ว",
	"จดหมายที่ถูกลบ", "รายการที่ถูกลบออก", "thư đã xóa", "mục đã xóa", "thùng rác", "đã xóa",
	"các mục đã xóa", "item terhapus", "sampah", "kotak sampah", "tong sampah",
	"pesan terhapus", "terhapus", "item yang dihapus",
	NULL,
};

static const char *const archive_names[] = {
	"archive", "archives", "archived", "archived messages", "archive mail", "archiv",
	"archivierte nachrichten", "messages archivés", "archivo", "archivados", "arxiu",
	"arquivo", "arquivo morto", "arquivados", "arquivo de mensagens", "archivio",
	"archiviati", "archiviata", "archief", "archiwum", "архив", "архів", "archív",
	"archivované", "arkiv", "arkiverat", "arkisto", "arkistoidut", "arşiv", "αρχείο",
	"αρχειοθήκη", "αρχειοθέτηση", "archívum", "arhivă", "arhiva", "アーカイブ", "보관",
	"보관함", "보관 메일함", "보관된 메일", "存档", "归档", "归档邮件", "封存", "典藏",
	"封存郵件", "الأرشيف", "أرشيف", "أرشفة", "ארכיון", "ที่เก็บถาวร", "เก็บถาวร", "จัดเก็บ",
	"lưu trữ", "arsip",
	NULL,
};

static const char *const all_names[] = {
	"all mail", "all messages", "alle nachrichten", "tous les messages", "todos",
	"todos los mensajes", "todos os e-mails", "todo o correio", "tutti i messaggi",
	"alle e-mail", "alle berichten", "wszystkie", "cała poczta", "вся почта", "уся пошта",
	"všechny zprávy", "alla mejl", "alla brev", "al post", "all e-post", "kaikki viestit",
	"tüm postalar", "όλα τα μηνύματα", "összes levél", "az összes levél", "toate mesajele",
	"すべてのメール", "전체보관함", "所有邮件", "全部郵件", "كل البريد", "כל הדואר",
	"จดหมายทั้งหมด", "tất cả thư", "semua email",
	NULL,
};

static const char *const flagged_names[] = {
	"starred", "flagged", "markiert", "suivis", "messages suivis", "destacados",
	"con estrella", "com estrela", "speciali", "met ster", "oznaczone gwiazdką",
	"помеченные", "із зірочкою", "s hvězdičkou", "stjärnmärkt", "stjernemarkeret",
	"stjernemerket", "tähdelliset", "yıldızlı", "με αστέρι", "csillagozott", "cu stea",
	"スター付き", "별표편지함", "已加星标", "已加星號", "مميز بنجمة", "מסומן בכוכב",
	"ติดดาว", "có gắn dấu sao", "berbintang",
	NULL,
};

static const char *const important_names[] = {
	"important", "wichtig", "importante", "importanti", "belangrijk", "ważne", "важное",
	"важливо", "důležité", "viktigt", "vigtigt", "viktig", "tärkeä", "tärkeät", "önemli",
	"σημαντικά", "fontos", "重要", "중요", "重要邮件", "重要郵件", "مهم", "חשוב", "สำคัญ",
	"quan trọng", "penting",
	NULL,
};

static const char *const *const names_of[ROLE_COUNT] = {
	[ROLE_DRAFTS] = drafts_names,
	[ROLE_SENT] = sent_names,
	[ROLE_ARCHIVE] = archive_names,
	[ROLE_JUNK] = junk_names,
	[ROLE_TRASH] = trash_names,
	[ROLE_ALL] = all_names,
	[ROLE_FLAGGED] = flagged_names,
	[ROLE_IMPORTANT] = important_names,
};

enum role role_of_attribute(struct bytes attribute)
{
	for (enum role role = ROLE_DRAFTS; role < ROLE_COUNT; role++)
		if (bytes_equal_nocase(attribute, bytes_of(roles[role].attribute)))
			return role;
	for (size_t i = 0; i < ARRAY_SIZE(xlist); i++)
		if (bytes_equal_nocase(attribute, bytes_of(xlist[i].attribute)))
			return xlist[i].role;
	return ROLE_NONE;
}

const char *role_attribute(enum role role)
{
	return roles[role].attribute;
}

const char *role_name(enum role role)
{
	return roles[role].name;
}

bool role_is_view(enum role role)
{
	return role == ROLE_ALL || role == ROLE_FLAGGED || role == ROLE_IMPORTANT;
}

/* Longer than any name in the tables: spares folding what cannot match. */
#define MAX_NAME 96

enum role role_of_name(struct bytes utf8, size_t *ret_rank)
{
	_cleanup_(buf_done) struct buf key = BUF_NULL;

	if (utf8.n == 0 || utf8.n > MAX_NAME || utf8_key(utf8, &key) < 0)
		return ROLE_NONE;

	for (enum role role = ROLE_DRAFTS; role < ROLE_COUNT; role++) {
		for (size_t i = 0; names_of[role][i]; i++) {
			const char *name = names_of[role][i];

			/* The first byte settles nearly all of them. */
			if (name[0] != key.p[0] || strcmp(name, key.p) != 0)
				continue;
			if (strlen(name) != key.n)
				continue;
			if (ret_rank)
				*ret_rank = i;
			return role;
		}
	}
	return ROLE_NONE;
}

void role_each_name(void (*each)(void *arg, enum role role, const char *name), void *arg)
{
	for (enum role role = ROLE_DRAFTS; role < ROLE_COUNT; role++)
		for (size_t i = 0; names_of[role][i]; i++)
			each(arg, role, names_of[role][i]);
}
