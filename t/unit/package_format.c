/* SPDX-License-Identifier: Apache-2.0 */
#include "package_help.h"

#define ATOM   "http://www.w3.org/2005/Atom"
#define CC     "http://www.imsglobal.org/xsd/"
#define BB     "xmlns:bb='http://www.blackboard.com/content-packaging/'"
#define SCORM1 "xmlns:adlcp='http://www.adlnet.org/xsd/adlcp_rootv1p2'"

static const char *manifest(const char *ns, const char *more, const char *body, apr_pool_t *pool)
{
    return apr_psprintf(pool,
                        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                        "<manifest identifier=\"m\" xmlns=\"%s\" %s>%s</manifest>",
                        ns, more, body);
}

/* Opens a package of one file of that name, with something beside it. */
static const char *format_of(place_t *place, const char *name, const char *content)
{
    zip_t zip = {0};

    zip_text(&zip, name, content);
    zip_text(&zip, "other.txt", "text");
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    return place->package->format;
}

static const char *format_of_manifest(place_t *place, const char *ns, const char *more)
{
    return format_of(place, "imsmanifest.xml", manifest(ns, more, "<resources/>", place->pool));
}

static void test_leap(void **state)
{
    static const char *const names[] = {"leap2a.xml", "leap2.xml", "leap.xml"};
    static const char *const namespaces[] = {
        "http://terms.leapspecs.org/",
        "http://wiki.leapspecs.org/2A/categories",
        "http://wiki.cetis.ac.uk/2009-03/LEAP2A_predicates#",
    };
    place_t *place = *state;
    int i;

    for (i = 0; i < 3; i++) {
        const char *feed =
            apr_psprintf(place->pool,
                         "<?xml version='1.0'?><a:feed xmlns:a='" ATOM "' xmlns:x='%s'>"
                         "<a:author><a:title>no</a:title></a:author><a:title> Alice's "
                         "&#26085;&amp;c. </a:title><a:entry/></a:feed>",
                         namespaces[i]);

        assert_string_equal(format_of(place, names[i], feed), "leap2a");
        assert_string_equal(place->package->title, "Alice's \xe6\x97\xa5&c.");
        assert_string_equal(format_of(place, "sub/leap2a.xml", feed), "file");
    }
}

/* By content, not by name. */
static void test_no_leap(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};

    assert_string_equal(format_of(place, "leap2a.xml", "<feed xmlns='" ATOM "'/>"), "file");
    assert_string_equal(
        format_of(place, "leap2a.xml", "<feed xmlns:l='http://terms.leapspecs.org/'/>"), "file");
    assert_string_equal(format_of(place, "leap2a.xml", "not XML"), "file");
    assert_int_equal(place->package->problems->nelts, 1);
    assert_string_equal(format_of(place, "leap2a.xml",
                                  "<!DOCTYPE feed [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
                                  "<feed xmlns='" ATOM "' xmlns:l='http://terms.leapspecs.org/'>"
                                  "<title>&x;</title></feed>"),
                        "file");
    assert_null(strstr(content_of(place->package->report, place->pool), "root:"));

    place->source.format = "leap2a";
    zip_text(&zip, "leap2a.xml", "<html/>");
    assert_refused(place, open_zip(place, &zip), "no LEAP2A document");
}

static void test_cartridges(void **state)
{
    place_t *place = *state;

    assert_string_equal(format_of_manifest(place, CC "imscc/imscp_v1p1", ""), "imscc");
    assert_string_equal(format_of_manifest(place, CC "imsccv1p1/imscp_v1p1", ""), "imscc");
    assert_string_equal(format_of_manifest(place, CC "imsccv1p2/imscp_v1p1", ""), "imscc");
    assert_string_equal(format_of_manifest(place, CC "imsccv1p3/imscp_v1p1", ""), "imscc");
    /* A cartridge is asked for before a Blackboard package. */
    assert_string_equal(format_of_manifest(place, CC "imscc/imscp_v1p1", BB), "imscc");
    assert_string_equal(format_of_manifest(place, "", BB), "blackboard");
    assert_string_equal(format_of_manifest(place, CC "imscp_v1p1", BB), "blackboard");
    assert_string_equal(
        format_of_manifest(place, "http://www.imsproject.org/xsd/imscp_rootv1p1p2", SCORM1),
        "scorm");
    assert_string_equal(format_of_manifest(place, CC "imscp_v1p1",
                                           "xmlns:x='http://www.adlnet.org/xsd/adlcp_v1p3'"),
                        "scorm");
    assert_string_equal(format_of_manifest(place, CC "imscp_v1p1", ""), "file");
    assert_string_equal(format_of_manifest(place, CC "imsccv1p1/imscp_v1p1x", ""), "file");
    assert_string_equal(format_of_manifest(place, CC "imsccv1p1/imsdt_v1p1", ""), "file");
    assert_string_equal(
        format_of(place, "imsmanifest.xml", "<feed xmlns='" CC "imscc/imscp_v1p1'/>"), "file");
}

static const mnet_package_resource_t *resource(const place_t *place, const char *identifier)
{
    int i;

    for (i = 0; i < place->package->resources->nelts; i++) {
        const mnet_package_resource_t *r =
            &APR_ARRAY_IDX(place->package->resources, i, mnet_package_resource_t);

        if (!strcmp(r->identifier, identifier)) {
            return r;
        }
    }
    fail_msg("no resource %s", identifier);
    return NULL;
}

static void assert_resource(const place_t *place, const char *identifier, const char *kind,
                            const char *moodle, const char *title)
{
    const mnet_package_resource_t *r = resource(place, identifier);

    assert_string_equal(r->kind, kind);
    if (moodle) {
        assert_string_equal(r->moodle, moodle);
    } else {
        assert_null(r->moodle);
    }
    if (title) {
        assert_string_equal(r->title, title);
    } else {
        assert_null(r->title);
    }
}

static const char organized[] =
    "<metadata><schema>IMS Common Cartridge</schema><lom:lom xmlns:lom='x'><lom:general>"
    "<lom:title><lom:string language='en'>A course</lom:string></lom:title>"
    "</lom:general></lom:lom></metadata>"
    "<organizations><organization identifier='o'><item identifier='root'>"
    "<item identifier='i1' identifierref='page'><title>Read me</title></item>"
    "<item identifier='i2' identifierref='pic'><title>A picture</title></item>"
    "</item></organization></organizations>";

static const char resources[] =
    "<resources>"
    "<resource identifier='topic' type='imsdt_xmlv1p0'><file href='t/topic.xml'/></resource>"
    "<resource identifier='link' type='imswl_xmlv1p0'><file href='t/link.xml'/></resource>"
    "<resource identifier='test' type='imsqti_xmlv1p2/imscc_xmlv1p0/assessment'>"
    "<file href='t/test.xml'/></resource>"
    "<resource identifier='bank' type='imsqti_xmlv1p2/imscc_xmlv1p0/question-bank'>"
    "<file href='t/bank.xml'/></resource>"
    "<resource identifier='page' type='webcontent' href='w/a%20page.html?x=1'/>"
    "<resource identifier='pic' type='webcontent' xml:base='w/' href='pic.png'/>"
    "<resource identifier='assoc' type='associatedcontent/imscc_xmlv1p0/learning-application-"
    "resource' href='t/none.xml'/>"
    "<resource identifier='liar' type='webcontent' href='t/topic2.xml'/>"
    "<resource identifier='out' type='webcontent' href='../../etc/passwd'/>"
    "</resources>";

static void test_what_is_in_a_cartridge(void **state)
{
    place_t *place = *state;
    const char *body = apr_pstrcat(place->pool, organized, resources, NULL), *report;
    zip_t zip = {0};

    zip_text(&zip, "imsmanifest.xml", manifest(CC "imscc/imscp_v1p1", "", body, place->pool));
    zip_text(&zip, "t/topic.xml",
             "<dt:topic xmlns:dt='" CC "imsdt_v1p0'><title>Talk</title>"
             "<text texttype='text/html'>&lt;p&gt;</text></dt:topic>");
    zip_text(&zip, "t/topic2.xml",
             "<topic xmlns='" CC "imsccv1p1/imsdt_v1p1'><title>More</title></topic>");
    zip_text(&zip, "t/link.xml",
             "<?xml version='1.0'?><wl:webLink xmlns:wl='" CC "imswl_v1p0'><title>Wiki</title>"
             "<url href='http://wiki.example/' target='_blank'/></wl:webLink>");
    zip_text(&zip, "t/test.xml",
             "<questestinterop xmlns='" CC "ims_qtiasiv1p2'><assessment ident='q' title='Exam'/>"
             "</questestinterop>");
    zip_text(&zip, "t/bank.xml",
             "<questestinterop xmlns='" CC "ims_qtiasiv1p2'><objectbank ident='b'/>"
             "</questestinterop>");
    zip_text(&zip, "w/a page.html", "<html><body>A page</body></html>");
    zip_text(&zip, "w/pic.png", "\x89PNG\r\n\x1a\n");
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_string_equal(place->package->format, "imscc");
    assert_string_equal(place->package->title, "A course");
    assert_int_equal(place->package->resources->nelts, 9);
    assert_resource(place, "topic", "discussion topic", "forum", "Talk");
    assert_resource(place, "link", "web link", "url", "Wiki");
    assert_string_equal(resource(place, "link")->url, "http://wiki.example/");
    assert_resource(place, "test", "assessment", "quiz", "Exam");
    assert_resource(place, "bank", "question bank", "question", NULL);
    assert_resource(place, "page", "web content", "page", "Read me");
    assert_string_equal(resource(place, "page")->path, "w/a page.html");
    assert_resource(place, "pic", "web content", "resource", "A picture");
    assert_string_equal(resource(place, "pic")->path, "w/pic.png");
    assert_resource(place, "assoc", "other", NULL, NULL);
    assert_null(resource(place, "assoc")->path);
    assert_resource(place, "liar", "discussion topic", "forum", "More");
    assert_null(resource(place, "out")->path);
    report = content_of(place->package->report, place->pool);
    assert_non_null(strstr(report, "\"moodle\": \"forum\""));
    assert_non_null(strstr(report, "\"title\": \"Exam\""));
}

static void test_what_is_in_a_scorm(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};

    zip_text(&zip, "imsmanifest.xml",
             manifest(CC "imscp_v1p1", SCORM1,
                      "<organizations><organization><title>Safety</title></organization>"
                      "</organizations><resources>"
                      "<resource identifier='r' adlcp:scormtype='sco' href='go.html'/>"
                      "<resource identifier='s' adlcp:scormType='asset' href='no.html'/>"
                      "</resources>",
                      place->pool));
    zip_text(&zip, "go.html", "<html/>");
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_string_equal(place->package->format, "scorm");
    assert_string_equal(place->package->title, "Safety");
    assert_resource(place, "r", "sco", "scorm", NULL);
    assert_resource(place, "s", "asset", NULL, NULL);
}

/* Bounded in all that a manifest may ask for. */
static void test_manifests_that_mean_harm(void **state)
{
    place_t *place = *state;
    apr_pool_t *p = place->pool;
    const char *deep = "", *many = "", *twice;
    int i;

    for (i = 0; i < 100; i++) {
        deep = apr_pstrcat(p, deep, "<item>", NULL);
        many = apr_pstrcat(p, many, apr_psprintf(p, " xmlns:n%d='%d'", i, i), NULL);
    }
    assert_string_equal(
        format_of(place, "imsmanifest.xml",
                  apr_pstrcat(p, "<manifest xmlns='" CC "imscc/imscp_v1p1'>", deep, NULL)),
        "file");
    assert_string_equal(format_of_manifest(place, CC "imscc/imscp_v1p1", many), "file");
    assert_int_equal(place->package->problems->nelts, 1);
    twice = "<title>x</title></item></organization><resources></resource><resource/>";
    assert_string_equal(
        format_of(place, "imsmanifest.xml", manifest(CC "imscc/imscp_v1p1", "", twice, p)), "file");
    /* A billion laughs, if a document type were read. */
    assert_string_equal(format_of(place, "imsmanifest.xml",
                                  "<!DOCTYPE m [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]>"
                                  "<manifest xmlns='" CC "imscc/imscp_v1p1'>&b;</manifest>"),
                        "file");
}

static const char *kind_of(place_t *place, const char *name, const char *data, apr_size_t len)
{
    receive(place, data, len);
    place->source.name = name;
    assert_int_equal(open_received(place), APR_SUCCESS);
    assert_string_equal(place->package->format, file_at(place, 0)->format);
    return apr_pstrcat(place->pool, file_at(place, 0)->format, " ", file_at(place, 0)->type, NULL);
}

#define KIND(name, data) kind_of(place, name, data, sizeof(data) - 1)

static void test_kinds(void **state)
{
    place_t *place = *state;

    assert_string_equal(KIND("x.exe", "\x89PNG\r\n\x1a\n..."), "image image/png");
    assert_string_equal(KIND("x.txt", "\xff\xd8\xff\xe0....JFIF"), "image image/jpeg");
    assert_string_equal(KIND("x", "RIFF\x10\0\0\0WEBPVP8 "), "image image/webp");
    assert_string_equal(KIND("x", "RIFF\x10\0\0\0WAVEfmt "), "file audio/wav");
    assert_string_equal(KIND("x", "\0\0\0\x18"
                                  "ftypisom\0\0"),
                        "video video/mp4");
    assert_string_equal(KIND("x", "\0\0\0\x18"
                                  "ftypM4A \0\0"),
                        "file audio/mp4");
    assert_string_equal(KIND("x", "\x1a\x45\xdf\xa3\x01\x02"), "video video/webm");
    assert_string_equal(KIND("x", "OggS\0\x02....\x80theora"), "video video/ogg");
    assert_string_equal(KIND("x.png", "%PDF-1.7\n%\xe2\xe3"), "file application/pdf");
    assert_string_equal(KIND("x", "plain \xe6\x97\xa5\xe6\x9c\xac text\n"), "text text/plain");
    assert_string_equal(KIND("x.csv", "a;b\n1;2\n"), "text text/csv");
    assert_string_equal(KIND("x.txt", "caf\xe9\n"), "text text/plain");
    assert_string_equal(KIND("x", "caf\xe9\n"), "file application/octet-stream");
    assert_string_equal(KIND("x", "  <!doctype HTML><p>"), "html text/html");
    assert_string_equal(KIND("x.htm", "<p>fragment</p>"), "html text/html");
    assert_string_equal(KIND("x", "<?xml version='1.0'?><svg/>"), "image image/svg+xml");
    assert_string_equal(KIND("x", "<?xml version='1.0'?><x/>"), "file application/xml");
    assert_string_equal(KIND("x.mp3", "\x01\x02\x03\x04"), "file audio/mpeg");
    assert_string_equal(KIND("x.zip", "\x01\x02\x03\x04"), "file application/octet-stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        placed(test_leap),
        placed(test_no_leap),
        placed(test_cartridges),
        placed(test_what_is_in_a_cartridge),
        placed(test_what_is_in_a_scorm),
        placed(test_manifests_that_mean_harm),
        placed(test_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
